/* names.c - see names.h.  Keys that run files come to have are to go from here. */
#include "compiler/generate/names.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

typedef struct Alias {
	const char *what, *names;       /* names: separated by spaces */
	const char *answer;
} Alias;

static const Alias aliases[] = {
	{"key", "num_inference_steps inference_steps sampling_steps num_steps "
		"n_steps", "is 'steps' here"},
	{"key", "guidance_scale cfg cfg_scale", "is 'guidance' here"},
	{"key", "width height w h resolution", "is part of 'size' here: size: "
		"WIDTHxHEIGHT"},
	{"key", "num_frames n_frames video_length length", "is 'frames' here"},
	{"key", "negative neg neg_prompt n_prompt", "is 'negative_prompt' here"},
	{"key", "positive_prompt positive text caption", "is 'prompt' here"},
	{"key", "random_seed noise_seed generator", "is 'seed' here"},
	{"key", "latents", "is 'noise' here: noise: FILE.safetensors"},
	{"key", "sampler sampler_name scheduler_name scheduler_type", "is part of "
		"'scheduler' here: scheduler: {class: NAME}"},
	{"key", "motion_adapter motion_module adapter", "is a part of the UNet "
		"here: model: {base: FOLDER, unet: [FOLDER/unet, ADAPTER]}"},
	{"key", "model_path model_id base base_model checkpoint ckpt "
		"pretrained_model_name_or_path", "is 'model' here"},
	{"key", "unet vae text_encoder image_encoder tokenizer", "is a part of "
		"'model' here: model: {base: FOLDER, PART: FOLDER}"},
	{"key", "precision torch_dtype weight_dtype", "is 'dtype' here"},
	{"key", "max_memory memory_limit vram", "is 'memory' here"},
	{"key", "out outputs output_path output_dir save_path", "is 'output' "
		"here"},
	{"key", "frame_rate framerate", "is 'fps' here"},
	{"key", "image_path init_image", "is 'image' here"},
	{"key", "motion_bucket_id", "is 'motion_bucket' here"},
	{"key", "noise_aug_strength", "is 'noise_aug' here"},
	{"key", "min_guidance_scale", "is 'min_guidance' here"},
	{"key", "max_guidance_scale", "is 'max_guidance' here"},
	{"key", "decode_chunk_size", "is 'decode_chunk' here"},
	{"key", "lora loras lora_path lora_weights motion_lora", "is not "
		"supported; merge it into the model first (diffusers: fuse_lora, "
		"save_pretrained)"},
	{"key", "controlnet ip_adapter", "is not supported"},
	{"key", "eta", "is not supported: it is 0"},
	{"dtype", "float16 fp16 half torch.float16", "is 'f16' here"},
	{"dtype", "bfloat16 torch.bfloat16", "is 'bf16' here"},
	{"dtype", "float32 fp32 float single torch.float32", "is 'f32' here"},
	{"component", "motion_adapter motion_module adapter", "is a part of the "
		"UNet here: unet: [FOLDER/unet, ADAPTER]"},
	{"component", "model folder path", "is 'base' here"},
	{"component", "feature_extractor safety_checker", "has no part in a run"},
	{"component", "controlnet lora", "is not supported"},
	{"scheduler setting", "_class_name name type scheduler", "is 'class' "
		"here"},
};

const char *
name_here(const char *what, const char *name)
{
	size_t length = strlen(name);
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		const char *s = aliases[i].names;
		if (strcmp(aliases[i].what, what))
			continue;
		while (*s) {
			size_t n = strcspn(s, " ");
			if (n == length && !strncasecmp(s, name, n))
				return aliases[i].answer;
			s += n + (s[n] == ' ');
		}
	}
	return NULL;
}
