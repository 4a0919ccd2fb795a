"""Mobile MQA: V4's multi-query attention for feature maps (paper section 5)."""

from __future__ import annotations

from torch import Tensor, nn

from edgecam.nn.networks.layers import LayerScale, Settings, conv2d


class MobileMQA(nn.Module):
    """Attention with many queries and one shared key and value, over all positions of a feature map.

    With ``kv_stride`` 2, keys and values are taken from a map that a strided depthwise convolution halves;
    this saves most of the cost. It has a residual connection with a layer scale.
    """

    def __init__(
        self, channels: int, settings: Settings, *, heads: int, key_dim: int, kv_stride: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.key_dim = key_dim
        self.norm = settings.norm(channels)
        self.query = nn.Conv2d(channels, heads * key_dim, 1, bias=False)
        self.key = _shared(channels, key_dim, kv_stride, settings)
        self.value = _shared(channels, key_dim, kv_stride, settings)
        self.project = nn.Conv2d(heads * key_dim, channels, 1, bias=False)
        self.scale = LayerScale(channels)
        self.out_channels = channels
        self.stride = 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        n, _, h, w = x.shape
        normed = self.norm(x)
        query = self.query(normed).view(n, self.heads, self.key_dim, h * w).transpose(2, 3)
        key = self.key(normed).flatten(2).unsqueeze(1)  # one head of keys, shared by all queries
        value = self.value(normed).flatten(2).unsqueeze(1).transpose(2, 3)
        weights = ((query * self.key_dim**-0.5) @ key).softmax(-1)
        mixed = (weights @ value).transpose(2, 3).reshape(n, self.heads * self.key_dim, h, w)
        out: Tensor = x + self.scale(self.project(mixed))
        return out


def _shared(channels: int, key_dim: int, stride: int, settings: Settings) -> nn.Sequential:
    """The shared key or value projection; if ``stride`` > 1, a strided convolution and a norm come first."""
    halve: list[nn.Module] = (
        [conv2d(channels, channels, 3, stride, channels, False, settings.padding), settings.norm(channels)]
        if stride > 1
        else []
    )
    return nn.Sequential(*halve, nn.Conv2d(channels, key_dim, 1, bias=False))
