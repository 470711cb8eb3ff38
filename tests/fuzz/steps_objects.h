/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of fuzz_message.c that make, use and give up models, buffers and bindings. */
#pragma once

static void step_load(struct peer *peer, struct tape *tape)
{
	static const char *const names[] = {"", "a", "b", "bad\n"};
	Zy__LoadModel load = ZY__LOAD_MODEL__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint8_t how = take(tape);
	int fds[2] = {host.images[how % N_IMAGES], host.images[IMAGE_COPY]};

	load.name = (char *)names[(how >> 3) & 3];
	load.keep = how & 0x20;
	req.body_case = ZY__REQUEST__BODY_LOAD_MODEL;
	req.load_model = &load;
	send_request(peer, &req, fds, how >= 0xf8 ? how & 1 ? 2 : 0 : 1);
}

/* Open, unload, close: by name or by id. */
static void step_model(struct peer *peer, struct tape *tape)
{
	Zy__OpenModel open = ZY__OPEN_MODEL__INIT;
	Zy__UnloadModel unload = ZY__UNLOAD_MODEL__INIT;
	Zy__CloseModel close_model = ZY__CLOSE_MODEL__INIT;
	Zy__ListModels list = ZY__LIST_MODELS__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint8_t how = take(tape);

	open.name = unload.name = (char *)(how & 4 ? "a" : "b");
	close_model.model = pick(tape, &peer->models);
	switch (how & 3) {
	case 0:
		req.body_case = ZY__REQUEST__BODY_OPEN_MODEL;
		req.open_model = &open;
		break;
	case 1:
		req.body_case = ZY__REQUEST__BODY_UNLOAD_MODEL;
		req.unload_model = &unload;
		break;
	case 2:
		req.body_case = ZY__REQUEST__BODY_CLOSE_MODEL;
		req.close_model = &close_model;
		break;
	case 3:
		req.body_case = ZY__REQUEST__BODY_LIST_MODELS;
		req.list_models = &list;
		break;
	}
	send_request(peer, &req, NULL, 0);
}

static void step_create_buffer(struct peer *peer, struct tape *tape)
{
	static const uint32_t sizes[] = {1, 4096, 65537, 100000, MIB / 2, MIB, 0, UINT32_MAX};
	Zy__CreateBuffer create = ZY__CREATE_BUFFER__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	create.size = sizes[take(tape) % 8];
	req.body_case = ZY__REQUEST__BODY_CREATE_BUFFER;
	req.create_buffer = &create;
	send_request(peer, &req, NULL, 0);
}

static void step_destroy(struct peer *peer, struct tape *tape)
{
	Zy__DestroyBuffer buffer = ZY__DESTROY_BUFFER__INIT;
	Zy__DestroyBinding binding = ZY__DESTROY_BINDING__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	if (take(tape) & 1) {
		buffer.buffer = pick(tape, &peer->buffers);
		req.body_case = ZY__REQUEST__BODY_DESTROY_BUFFER;
		req.destroy_buffer = &buffer;
	} else {
		binding.binding = pick(tape, &peer->bindings);
		req.body_case = ZY__REQUEST__BODY_DESTROY_BINDING;
		req.destroy_binding = &binding;
	}
	send_request(peer, &req, NULL, 0);
}

static void step_bind(struct peer *peer, struct tape *tape)
{
	Zy__TensorRange range[4], *list[4];
	Zy__CreateBinding bind = ZY__CREATE_BINDING__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint8_t how = take(tape);

	bind.n_ranges = how < 0xe0 ? 2 : how % 5;
	bind.model = pick(tape, &peer->models);
	bind.ranges = list;
	for (unsigned int i = 0; i < 4; i++) {
		zy__tensor_range__init(&range[i]);
		range[i].kind = (Zy__TensorKind)i;
		range[i].buffer = pick(tape, &peer->buffers);
		range[i].size = how & 1 ? 64 : 4096;
		range[i].offset = i & 1 ? 0 : (uint64_t)(how & 2) * 32;
		list[i] = &range[i];
	}
	if (how >= 0xf0)
		range[0].offset = (uint64_t)take32(tape) << 32 | take32(tape);
	if (how >= 0xf8)
		range[1].size = (uint64_t)take32(tape) << 32 | take32(tape);
	req.body_case = ZY__REQUEST__BODY_CREATE_BINDING;
	req.create_binding = &bind;
	send_request(peer, &req, NULL, 0);
}
