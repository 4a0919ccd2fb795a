"""What a video from outside may be. Every limit of this room stands here; docs/security.md lists them."""

#: Pixels of a picture from a file or a folder (option ``--max-pixels``): 8000 x 8000, more than any camera's.
FILE_PIXELS = 64_000_000
#: And from a camera or a network stream: 7680 x 4320 (8K UHD, ITU-R BT.2020) is 33.2 megapixels.
LIVE_PIXELS = 33_200_000
#: Streams of one container that are looked at; cameras and editors write a handful.
STREAMS = 64
#: A container that takes longer to open, or to give its next packet, is given up (a sleeping NAS takes 10).
OPEN_S, READ_S = 30.0, 30.0
#: Demuxers that files may use. No playlists (hls, concat, dash): they open other files and hosts.
FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,vvc,m4v,mjpeg,ivf,obu,av1,"
    "yuv4mpegpipe,mxf,nut,dv,gif,apng,rm,wtv,swf"
)


class TooLargeError(ValueError):
    """A picture has more pixels than are allowed; the text says how many."""


def check_pixels(width: int, height: int, most: int) -> None:
    """Raise TooLargeError if a picture of this size is over the limit."""
    if width * height > most:
        raise TooLargeError(
            f"pictures of {width}x{height} are over the limit of {most / 1e6:.4g} megapixels (--max-pixels)"
        )
