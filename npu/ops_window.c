/* SPDX-License-Identifier: MIT */
/* Windows over height and width, as convolutions and pools have them. */
#include "npu/ops_internal.h"

void npu_window_init(struct npu_window *window, const struct npu_insn *insn)
{
	for (unsigned int i = 0; i < 2; i++) {
		window->kernel[i] = insn->kernel[i] ? insn->kernel[i] : 1;
		window->stride[i] = insn->stride[i] ? insn->stride[i] : 1;
		window->dilation[i] = insn->dilation[i] ? insn->dilation[i] : 1;
	}
}

const char *npu_window_check(const struct npu_insn *insn)
{
	struct npu_window window;

	npu_window_init(&window, insn);
	if (insn->out[0] != insn->in[0])
		return "input and output differ in N";
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t extent = (window.kernel[i] - 1) * (uint64_t)window.dilation[i] + 1;
		uint64_t last = (insn->out[1 + i] - 1) * (uint64_t)window.stride[i];

		if (insn->pad[i] >= extent)
			return "pad is not smaller than the window";
		if (last >= (uint64_t)insn->in[1 + i] + insn->pad[i])
			return "the last window lies outside the input";
	}
	return NULL;
}

struct npu_place npu_window_place(const struct npu_window *window, const struct npu_insn *insn,
				  uint32_t index)
{
	uint32_t x = index % insn->out[2];
	uint32_t row = index / insn->out[2];

	return (struct npu_place){
		.n = row / insn->out[1],
		.y = (int64_t)(row % insn->out[1]) * window->stride[0] - insn->pad[0],
		.x = (int64_t)x * window->stride[1] - insn->pad[1],
	};
}

struct npu_taps npu_window_taps(const struct npu_window *window, const struct npu_insn *insn,
				int64_t start, unsigned int axis)
{
	int64_t dilation = window->dilation[axis], size = insn->in[1 + axis];
	struct npu_taps taps = {0, window->kernel[axis]};

	if (start < 0)
		taps.first = (uint32_t)((-start + dilation - 1) / dilation);
	if (start + (int64_t)(taps.end - 1) * dilation >= size)
		taps.end = (uint32_t)((size - start + dilation - 1) / dilation);
	return taps;
}
