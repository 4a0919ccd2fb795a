/* Backward pass of a depthwise convolution, bfloat16, channels last; see depthwise.py. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline float up(uint16_t v) {
    uint32_t bits = (uint32_t)v << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static inline uint16_t down(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

/* x: N, H, W, C; g: N, OH, OW, C; gw: K*K, C and gb: C, both zeroed. Returns 0, or 1 without memory. */
int dw_weight(const uint16_t *x, const uint16_t *g, float *gw, float *gb, long n, long h, long w, long c,
              long oh, long ow, long k, long s, long p) {
    float *row = malloc(sizeof(float) * c);
    if (!row) return 1;
    for (long i = 0; i < n; i++)
        for (long oy = 0; oy < oh; oy++)
            for (long ox = 0; ox < ow; ox++) {
                const uint16_t *from = g + ((i * oh + oy) * ow + ox) * c;
                for (long m = 0; m < c; m++) {
                    row[m] = up(from[m]);
                    gb[m] += row[m];
                }
                for (long ky = 0; ky < k; ky++) {
                    long iy = oy * s + ky - p;
                    if (iy < 0 || iy >= h) continue;
                    for (long kx = 0; kx < k; kx++) {
                        long ix = ox * s + kx - p;
                        if (ix < 0 || ix >= w) continue;
                        const uint16_t *seen = x + ((i * h + iy) * w + ix) * c;
                        float *sum = gw + (ky * k + kx) * c;
                        for (long m = 0; m < c; m++) sum[m] += up(seen[m]) * row[m];
                    }
                }
            }
    free(row);
    return 0;
}

/* g: N, OH, OW, C; weight: K*K, C float; gx: N, H, W, C. Returns 0, or 1 without memory. */
int dw_input(const uint16_t *g, const float *weight, uint16_t *gx, long n, long h, long w, long c, long oh,
             long ow, long k, long s, long p) {
    float *sum = malloc(sizeof(float) * c);
    if (!sum) return 1;
    for (long i = 0; i < n; i++)
        for (long iy = 0; iy < h; iy++)
            for (long ix = 0; ix < w; ix++) {
                memset(sum, 0, sizeof(float) * c);
                for (long ky = 0; ky < k; ky++) {
                    long y = iy + p - ky;
                    if (y < 0 || y % s || y / s >= oh) continue;
                    for (long kx = 0; kx < k; kx++) {
                        long z = ix + p - kx;
                        if (z < 0 || z % s || z / s >= ow) continue;
                        const uint16_t *from = g + ((i * oh + y / s) * ow + z / s) * c;
                        const float *at = weight + (ky * k + kx) * c;
                        for (long m = 0; m < c; m++) sum[m] += up(from[m]) * at[m];
                    }
                }
                uint16_t *to = gx + ((i * h + iy) * w + ix) * c;
                for (long m = 0; m < c; m++) to[m] = down(sum[m]);
            }
    free(sum);
    return 0;
}
