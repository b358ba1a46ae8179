/* A plain vectorised loop of local updates, the peer of ours: checkerboard halves as separate arrays (row, column/2,
   chain), chains innermost, 16 lanes of xoshiro128+ (D. Blackman, S. Vigna, ACM TOMS 47 (2021) 36). One core. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
static uint32_t state[4][LANES];

void seed(uint64_t z) {
    for (int word = 0; word < 4; word++)
        for (int lane = 0; lane < LANES; lane++) {
            z += 0x9e3779b97f4a7c15u;
            uint64_t x = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
            x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
            state[word][lane] = (uint32_t)(x ^ (x >> 31));
        }
}

static inline void next(uint32_t *out) {
    for (int i = 0; i < LANES; i++) {
        uint32_t a = state[0][i], b = state[1][i], c = state[2][i], d = state[3][i];
        out[i] = a + d;
        uint32_t t = b << 9;
        c ^= a; d ^= b; b ^= c; a ^= d; c ^= t;
        state[0][i] = a; state[1][i] = b; state[2][i] = c; state[3][i] = (d << 11) | (d >> 21);
    }
}

/* Rows of the other colour around row r: up and down along every leading axis of the shape. */
static int around(int dimension, const int *shape, int r, int *rows) {
    int count = 0, stride = 1;
    for (int axis = dimension - 2; axis >= 0; axis--) {
        int x = (r / stride) % shape[axis];
        rows[count++] = r + ((x + 1) % shape[axis] - x) * stride;
        rows[count++] = r + ((x + shape[axis] - 1) % shape[axis] - x) * stride;
        stride *= shape[axis];
    }
    return count;
}

static int parity(int dimension, const int *shape, int r) {
    int sum = 0;
    for (int axis = dimension - 2; axis >= 0; axis--) { sum += r % shape[axis]; r /= shape[axis]; }
    return sum & 1;
}

/* Updates the rows of one colour after the other; `sum` has room for a row. */
#define SWEEP(NAME, TYPE, UPDATE)                                                                             \
    void NAME(TYPE *halves, int dimension, const int *shape, int chains, int sweeps, TYPE *sum, const float *g) { \
        int rows = 1, width = shape[dimension - 1] / 2 * chains, near[6];                                     \
        for (int axis = 0; axis < dimension - 1; axis++) rows *= shape[axis];                                 \
        for (int half = 0; half < 2 * sweeps; half++) {                                                       \
            int colour = half % 2;                                                                            \
            TYPE *own = halves + (long)colour * rows * width;                                                 \
            const TYPE *other = halves + (long)(1 - colour) * rows * width;                                   \
            for (int r = 0; r < rows; r++) {                                                                  \
                const TYPE *beside = other + (long)r * width;                                                 \
                int count = around(dimension, shape, r, near);                                                \
                int shift = parity(dimension, shape, r) == colour ? width - chains : chains;                  \
                for (int i = 0; i < width - shift; i++) sum[i] = beside[i] + beside[i + shift];               \
                for (int i = width - shift; i < width; i++) sum[i] = beside[i] + beside[i + shift - width];   \
                for (int k = 0; k < count; k++) {                                                             \
                    const TYPE *line = other + (long)near[k] * width;                                         \
                    for (int i = 0; i < width; i++) sum[i] += line[i];                                        \
                }                                                                                             \
                UPDATE(own + (long)r * width, sum, width, g);                                                 \
            }                                                                                                 \
        }                                                                                                     \
    }

#define UNIFORM(word) ((float)(int32_t)((word) >> 8) * 0x1p-24f)

static inline void phi4_row(float *restrict phi, const float *restrict sum, int width, const float *g) {
    float kappa = g[0], a = g[1], b = g[2], step = g[3];
    for (int at = 0; at < width; at += LANES) {
        uint32_t first[LANES], second[LANES];
        next(first);
        next(second);
        for (int i = 0; i < LANES; i++) {
            float old = phi[at + i], new = old + step * (UNIFORM(first[i]) - 0.5f);
            float rise = new * new * (a + b * new * new) - old * old * (a + b * old * old)
                         - kappa * (new - old) * sum[at + i];
            phi[at + i] = UNIFORM(second[i]) < expf(-rise) ? new : old;
        }
    }
}
SWEEP(metropolis_phi4, float, phi4_row)

static inline void ising_row(int8_t *restrict spin, const int8_t *restrict sum, int width, const float *g) {
    float two = expf(-4 * g[0]), four = expf(-8 * g[0]), six = expf(-12 * g[0]);
    for (int at = 0; at < width; at += LANES) {
        uint32_t word[LANES];
        next(word);
        for (int i = 0; i < LANES; i++) {
            int grip = spin[at + i] * sum[at + i];
            float accept = grip <= 0 ? 1 : grip == 2 ? two : grip == 4 ? four : six;
            spin[at + i] = UNIFORM(word[i]) < accept ? -spin[at + i] : spin[at + i];
        }
    }
}
SWEEP(metropolis_ising, int8_t, ising_row)

static inline void heat_row(int8_t *restrict spin, const int8_t *restrict sum, int width, const float *g) {
    for (int at = 0; at < width; at += LANES) {
        uint32_t word[LANES];
        next(word);
        for (int i = 0; i < LANES; i++)
            spin[at + i] = UNIFORM(word[i]) * (1 + expf(-2 * g[0] * sum[at + i])) < 1 ? 1 : -1;
    }
}
SWEEP(heat_bath_ising, int8_t, heat_row)

/* Two trials from the envelope of the quartic site whose t stands in a table by the field, as ours. */
#define OPEN(word) (((float)(int32_t)((word) >> 1) + 0.5f) * 0x1p-31f)

static inline int trial(float offset, float u, float upper, float lower, float below, float t, float q, float b,
                        int split, float *x) {
    int under = u < below;
    float rest = under ? u : u - below, weight = under ? below : 1 - below;
    float distance = (under ? lower : upper) + offset, y = t + distance;
    *x = under ? -y : y;
    return (rest < weight * expf(-b * distance * distance * (y * (y + 2 * t) + q))) & (!split | (y >= 0));
}

static inline void heat_phi4_row(float *restrict phi, const float *restrict sum, int width, const float *g) {
    float kappa = g[0], a = g[1], b = g[2], scale = g[3];
    const float *table = g + 4;
    for (int at = 0; at < width; at += LANES) {
        uint32_t first[LANES], second[LANES], third[LANES], fourth[LANES];
        next(first);
        next(second);
        next(third);
        next(fourth);
        for (int i = 0; i < LANES; i++) {
            float field = kappa * sum[at + i], h = fabsf(field), bin = 256 * h / (h + scale);
            float t = table[(int)(bin < 255 ? bin : 255)];
            int split = t < 0;
            t = fabsf(t);
            float square = t * t, variance = 0.5f / (a + b * square * (split ? 3 : 2));
            float pull = split ? 2 * b * t * square : 0, q = split ? 0 : square;
            float upper = (pull + h) * variance - t, lower = (pull - h) * variance - t;
            float odds = expf(-2 * pull * h * variance), below = split ? odds / (1 + odds) : 0;
            /* Two cosines: the compiler would join a cosine and a sine to one call that has no vector form. */
            float radius = sqrtf(-2 * variance * logf(OPEN(first[i]))), angle = 6.2831853f * OPEN(second[i]);
            float x, y;
            int good = trial(radius * cosf(angle), OPEN(third[i]), upper, lower, below, t, q, b, split, &x);
            int fine = trial(radius * cosf(angle - 1.5707963f), OPEN(fourth[i]), upper, lower, below, t, q, b, split, &y);
            float drawn = good ? x : y;
            phi[at + i] = good | fine ? (field < 0 ? -drawn : drawn) : phi[at + i];
        }
    }
}
SWEEP(heat_bath_phi4, float, heat_phi4_row)
