"""COCO's label names: the 80 classes in order, and where they stand among the 90 category ids.

Source: the COCO 2017 annotation files (``instances_val2017.json``, key ``categories``); ids 12, 26, 29, 30,
45, 66, 68, 69, 71, 83 were never used.
"""

from __future__ import annotations

#: The 80 names in COCO's order; the index is our ``class_id``.
COCO80: tuple[str, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

#: Category ids (1 to 90) that COCO never used.
_UNUSED_IDS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})

#: COCO's category id (1 to 90) of each of the 80 classes, in the same order.
COCO80_IDS: tuple[int, ...] = tuple(i for i in range(1, 91) if i not in _UNUSED_IDS)

#: The 20 classes of PASCAL VOC, by COCO's names.
VOC20: tuple[str, ...] = (
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table",
    "dog", "horse", "motorcycle", "person", "potted plant", "sheep", "couch", "train", "tv",
)  # fmt: skip

#: VOC's own spelling to COCO's.
VOC_TO_COCO: dict[str, str] = {
    "aeroplane": "airplane", "motorbike": "motorcycle", "diningtable": "dining table", "sofa": "couch",
    "tvmonitor": "tv", "pottedplant": "potted plant",
}  # fmt: skip

#: The classes edgecam's shipped detectors are chosen for (rooms, streets, pets and farm animals).
CORE11: tuple[str, ...] = (
    "person", "dog", "cat", "sheep", "horse", "cow", "car", "chair", "bottle", "couch", "potted plant",
)  # fmt: skip
