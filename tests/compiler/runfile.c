/* runfile.c - run files that are right, and each way of being wrong with the
 * place and the words that it is told in.
 */
#include "compiler/generate/runfile.h"
#include "tests/lib/test.h"

#include <math.h>
#include <stdlib.h>

static Arena arena;

static int
parse(const char *text, const char *const *set, size_t n, RunFile *r, char *err)
{
	*err = 0;
	return runfile_parse(&arena, "dir/run.yaml", text, strlen(text), set, n,
		r, err);
}

static void
all_keys(void)
{
	static const char text[] =
		"model: {base: sd15, unet: [sd15/unet, /abs/motion], vae: v}\n"
		"pipeline: p.slu\n"
		"prompt: a red circle, moving right\n"
		"negative_prompt: 'it''s: \"bad\"'\n"
		"frames: 12\nsize: 640x384\nsteps: 30\nguidance: 6\nseed: 99\n"
		"noise: n.safetensors\n"
		"scheduler: {class: EulerDiscreteScheduler, beta_start: 1.5e-3, "
		"clip_sample: false, steps_offset: 1}\n"
		"device: cpu\ndtype: bf16\nmemory: 1.5 GiB\n"
		"output: [a.gif, /tmp/b.MP4, frames/, c.safetensors, d.y4m, e.webm, "
		"f.webp]\n"
		"fps: 12.5\nkeep_latents: true\nimage: a.png\n"
		"motion_bucket: 90\nnoise_aug: 0.5\nmin_guidance: 1.5\n"
		"max_guidance: 4\ndecode_chunk: 3\n";
	RunFile r;
	char err[RUNFILE_ERR];
	test("every key");
	CHECK(!parse(text, NULL, 0, &r, err), "%s", err);
	CHECK(!strcmp(r.folder, "dir/sd15"));
	CHECK(r.n_component == 2
		&& !strcmp(r.component[0], "unet=dir/sd15/unet,/abs/motion")
		&& !strcmp(r.component[1], "vae=dir/v"));
	CHECK(!strcmp(r.pipeline, "p.slu"));
	CHECK(!strcmp(r.prompt, "a red circle, moving right"));
	CHECK(!strcmp(r.negative_prompt, "it's: \"bad\""));
	CHECK(r.frames == 12 && r.steps == 30 && r.seed == 99);
	CHECK(r.width == 640 && r.height == 384);
	CHECK(fabs(r.guidance - 6) < 1e-9 && fabs(r.fps - 12.5) < 1e-9);
	CHECK(!strcmp(r.noise, "dir/n.safetensors"));
	CHECK(r.dtype == DT_BF16 && r.memory == 3LL << 29 && r.keep_latents);
	CHECK(!strcmp(r.image, "dir/a.png") && r.decode_chunk == 3);
	CHECK(fabs(r.motion_bucket - 90) < 1e-9 && fabs(r.noise_aug - 0.5) < 1e-9
		&& fabs(r.min_guidance - 1.5) < 1e-9
		&& fabs(r.max_guidance - 4) < 1e-9);
	const Json *class = json_get(r.scheduler, "_class_name");
	const Json *start = json_get(r.scheduler, "beta_start");
	const Json *clip = json_get(r.scheduler, "clip_sample");
	CHECK(class && !strcmp(class->text, "EulerDiscreteScheduler"));
	CHECK(start && fabs(start->number - 1.5e-3) < 1e-12);
	CHECK(clip && clip->kind == JSON_BOOL && !clip->boolean);
	CHECK(r.n_output == 7 && r.output[5].kind == OUTPUT_WEBM
		&& r.output[6].kind == OUTPUT_WEBP && r.output[0].kind == OUTPUT_GIF
		&& r.output[1].kind == OUTPUT_MP4 && r.output[2].kind == OUTPUT_PNG
		&& r.output[3].kind == OUTPUT_TENSORS
		&& r.output[4].kind == OUTPUT_Y4M);
	CHECK(!strcmp(r.output[0].path, "dir/a.gif")
		&& !strcmp(r.output[1].path, "/tmp/b.MP4"));
}

static void
overrides(void)
{
	static const char *const set[] = {
		"frames=3", "prompt=a cat: {black}, #1", "output=[x.gif, y/]",
		"model=other", "memory=800MiB", "scheduler={class: DDIMScheduler}",
		"profile=cpu.yaml", "frames=4", "keep_latents=true",
	};
	RunFile r;
	char err[RUNFILE_ERR];
	test("defaults");
	CHECK(!parse("model: m\n", NULL, 0, &r, err), "%s", err);
	CHECK(!r.frames && r.steps == 25 && !r.width && !r.seed
		&& !r.image && !r.decode_chunk && !(r.fps > 0) && r.dtype == DT_F32 && !r.n_output && !*r.prompt
		&& !*r.negative_prompt && !r.keep_latents);
	test("--set overrides, the last one wins");
	CHECK(!parse("model: m\nframes: 9\n", set, COUNT_OF(set), &r, err), "%s",
		err);
	CHECK(r.frames == 4 && r.n_output == 2 && r.memory == 800LL << 20
		&& r.keep_latents);
	CHECK(!strcmp(r.prompt, "a cat: {black}, #1"));
	CHECK(!strcmp(r.folder, "dir/other") && !r.n_component);
	CHECK(!strcmp(r.profile, "dir/cpu.yaml"));
}

static void
takes(void)
{
	static const struct { const char *prompt, *paths[2]; int64_t seed; }
	want[] = {
		{"a", {"dir/5-1-{x}.gif", "dir/f1/"}, 5},
		{"a", {"dir/9-2-{x}.gif", "dir/f2/"}, 9},
		{"b", {"dir/5-3-{x}.gif", "dir/f3/"}, 5},
		{"b", {"dir/9-4-{x}.gif", "dir/f4/"}, 9},
	};
	RunFile r;
	char err[RUNFILE_ERR];
	test("a video for each prompt and seed, with a name of its own");
	CHECK(!parse("model: m\nprompt: [a, b]\nseed: [5, 9]\n"
		"output: ['{seed}-{n}-{x}.gif', 'f{n}/']\n", NULL, 0, &r, err),
		"%s", err);
	CHECK(runfile_takes(&r) == COUNT_OF(want));
	for (size_t i = 0; i < 2 * COUNT_OF(want); i++) {
		size_t k = i % COUNT_OF(want);
		if (i)
			runfile_take(&arena, &r, k);
		CHECK(!strcmp(r.prompt, want[k].prompt)
			&& r.seed == want[k].seed && r.take == k
			&& !strcmp(r.output[0].path, want[k].paths[0])
			&& !strcmp(r.output[1].path, want[k].paths[1]), "%s %s",
			r.output[0].path, r.output[1].path);
	}
}

/* A run file of examples/ with the keys that stand there behind a "# ". */
static uint64_t
keys_of_example(const char *path)
{
	RunFile r;
	char err[RUNFILE_ERR] = "";
	size_t size, n = 0;
	const char *text = arena_read_file(&arena, path, 1 << 20, &size);
	char *all = arena_alloc(&arena, size + 1);
	for (const char *s = text; s && *s; s += strcspn(s, "\n"), s += *s != 0) {
		size_t word = strspn(s + 1, " abcdefghijklmnopqrstuvwxyz_");
		bool key = *s == '#' && s[1] == ' ' && !strncmp(s + 1 + word,
			": ", 2) && !memchr(s + 2, ' ', word - 1);
		const char *line = key ? s + 2 : s;
		size_t length = strcspn(line, "\n");
		memcpy(all + n, line, length);
		all[n + length] = '\n';
		n += length + 1;
	}
	CHECK(!parse(all, NULL, 0, &r, err), "%s: %s", path, err);
	return r.given;
}

static void
examples(void)
{
	test("every key stands in an example");
	uint64_t given = keys_of_example("examples/animatediff.yaml")
		| keys_of_example("examples/image_to_video.yaml");
	/* bits are given to keys in order */
	CHECK(given && !(given & (given + 1)), "%llx",
		(unsigned long long)given);
}

static const struct { const char *text, *reason; } bad[] = {
	{"promt: x\n", "dir/run.yaml:1:1: unknown key 'promt'; did you mean "
		"'prompt'?\n  promt: x\n  ^"},
	{"model: m\n\n  \nframes: 3\nzzzzzz: 1\n", "5:1: unknown key 'zzzzzz'"},
	{"model: m\nframes: x\n", "2:9: 'frames' is an integer from 1 to"},
	{"frames: 0\n", "1:9: 'frames'"},
	{"frames: 3.5\n", "'frames'"},
	{"frames: 99999999999999999999\n", "'frames'"},
	{"frames: [3]\n", "'frames'"},
	{"fps: 0\n", "'fps' is a number"},
	{"fps: nan\n", "'fps' is a number"},
	{"decode_chunk: 0\n", "'decode_chunk' is an integer from 1 to"},
	{"noise_aug: -1\n", "'noise_aug' is a number"},
	{"image: [a.png]\n", "'image' is a text"},
	{"image: ''\n", "'image' needs a path"},
	{"guidance: 7.5x\n", "'guidance' is a number"},
	{"size: 512\n", "'size' is WIDTHxHEIGHT"},
	{"size: 512x\n", "'size' is WIDTHxHEIGHT"},
	{"size: 0x64\n", "'size': a side has"},
	{"size: 64x64x64\n", "'size' is WIDTHxHEIGHT"},
	{"keep_latents: yes\n", "'keep_latents' is true or false"},
	{"dtype: f64\n", "unknown dtype 'f64'"},
	{"device: gpu\n", "unknown device 'gpu'"},
	{"memory: lots\n", "'memory' is a size"},
	{"memory: 0\n", "'memory' is a size"},
	{"memory: 6 GiBs\n", "'memory' is a size"},
	{"output: a.avi\n", "1:9: 'a.avi': an output ends in"},
	{"output: [a.gif, [b.gif]]\n", "'output' is a text"},
	{"prompt: [[a]]\n", "'prompt' is a text"},
	{"prompt: []\n", "'prompt' needs at least one"},
	{"seed: []\n", "'seed' needs at least one"},
	{"seed: [1, x]\n", "1:11: 'seed' is an integer"},
	{"seed: [1, 2, 01]\n", "seed 01 stands here twice"},
	{"model: m\nseed: [1, 2]\noutput: a.gif\n", "2 videos would be written "
		"to 'dir/a.gif': put {n} or {seed} into the name"},
	{"model: m\nseed: [1, 2]\nprompt: [a, b]\noutput: a{seed}.gif\n",
		"4 videos would be written to 'dir/a{seed}.gif': put {n} into"},
	{"model: {bas: x}\n", "1:9: unknown component 'bas'; did you mean 'base'"},
	{"model: {unet: []}\n", "'unet' needs a folder"},
	{"model: {unet: 'a,b'}\n", "comma"},
	{"model: []\n", "'model' is a folder"},
	{"model: ''\n", "'model' needs a path"},
	{"scheduler: DDIM\n", "'scheduler' is a map"},
	{"scheduler: {beta_shedule: linear}\n", "did you mean 'beta_schedule'"},
	{"frames: 3\nframes: 4\n", "2:1: key 'frames' stands here twice, first "
		"in line 1"},
	{"frames: &a 3\n", "1:9: anchors (&a) are not allowed"},
	{"frames: *a\n", "1:9: aliases (*a) are not allowed"},
	{"a: &a [x, x]\nb: &b [*a, *a]\n", "anchors"},
	{"frames: !!int 3\n", "1:9: tags"},
	{"prompt: !x y\n", "tags"},
	{"frames: 3\n---\nframes: 4\n", "second document"},
	{"- a\n- b\n", "a run file is a map"},
	{"just text\n", "a run file is a map"},
	{"prompt: a: b\n", "1:10: mapping values are not allowed"},
	{"prompt: \"open\n", "found unexpected end of stream"},
	{"prompt: {a: b\n", "run.yaml:"},
	{"\tframes: 3\n", "run.yaml:1:1: "},
	{"? [a]\n: b\n", "a key is one word"},
	{"prompt: \"a\\0b\"\n", "NUL"},
	{"prompt: \xff\xfe\n", "run.yaml:"},
	{"[[[[[[[[[[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]]]]]]]]]\n", "nested deeper"},
	{"num_inference_steps: 20\n", "1:1: unknown key 'num_inference_steps': it "
		"is 'steps' here"},
	{"guidance_scale: 7\n", "it is 'guidance' here"},
	{"width: 512\n", "it is part of 'size' here: size: WIDTHxHEIGHT"},
	{"motion_adapter: m\n", "model: {base: FOLDER, unet: [FOLDER/unet, "
		"ADAPTER]}"},
	{"model: {motion_adapter: m}\n", "unknown component 'motion_adapter': it "
		"is a part of the UNet here"},
	{"dtype: float16\n", "unknown dtype 'float16': it is 'f16' here"},
	{"dtype: torch.bfloat16\n", "it is 'bf16' here"},
	{"scheduler: {_class_name: x}\n", "it is 'class' here"},
	{"zzzzzz: 1\n", "known are model, pipeline, prompt"},
	{"model: m\nprompt: a cat: on a mat\n", "2:14: mapping values are not "
		"allowed in this context; put the prompt in quotes"},
	{"prompt: *red* circle\n", "put the prompt in quotes"},
	{"prompt: @someone, portrait\nframes: 3\n", "put the prompt in quotes"},
	{"negative_prompt: {red} circle\n", "put the prompt in quotes"},
	{"prompt: {red}\n", "'prompt' is a text; put it in quotes"},
	{"frames: 3\n", "it names no 'model'"},
	{"", "it names no 'model'"},
};

static void
many_mistakes(void)
{
	static const char *const set[] = {"steps=many", "sead=3", "fps"};
	static const char *const told[] = {
		"dir/run.yaml:1:1: unknown key 'promt'", "  promt: x\n  ^",
		"dir/run.yaml:2:9: 'frames' is an integer",
		"unknown component 'uner'", "unknown component 'vea'",
		"--set steps=many: 'steps' is an integer", "--set sead=3: unknown",
		"--set fps: write KEY=VALUE",
	};
	RunFile r;
	char err[RUNFILE_ERR], long_text[4000] = "model: m\n";
	test("all mistakes at once");
	int code = parse("promt: x\nframes: 0\nmodel: {uner: u, base: m, vea: v}"
		"\nsteps: 3\n", set, COUNT_OF(set), &r, err);
	CHECK(code == EXIT_SOURCE, "%d", code);
	for (size_t i = 0; i < COUNT_OF(told); i++)
		CHECK(strstr(err, told[i]), "no %s in\n%s", told[i], err);
	CHECK(!strstr(err, "'model'") && !strstr(err, "'steps' is a number"));
	test("but not more than a screen of them");
	for (int i = 0; i < 200; i++)
		snprintf(long_text + strlen(long_text), 20, "zzz%c%c: 1\n",
			'a' + i % 26, 'a' + i / 26);
	CHECK(parse(long_text, NULL, 0, &r, err) == EXIT_SOURCE
		&& strstr(err, "\nand more") && strlen(err) < RUNFILE_ERR - 1);
}

static void
defaults_back(void)
{
	static const char text[] =
		"model: {base: m, unet: u}\nprompt: cat\nframes: 3\nsteps: 4\n"
		"size: 64x32\nguidance: 2\nnoise: n\nmemory: 1GiB\ndtype: f16\n"
		"scheduler: {class: DDIMScheduler}\noutput: [a.gif, b.gif]\n"
		"keep_latents: true\nfps: 3\n";
	static const char *const set[] = {
		"frames=null", "steps=~", "size=null", "guidance=null",
		"noise=null", "memory=null", "dtype=null", "scheduler=null",
		"output=null", "keep_latents=null", "fps=null", "model=null",
		"model=other", "prompt=null",
	};
	RunFile r, usual;
	char err[RUNFILE_ERR];
	test("null takes the default back");
	CHECK(!parse("model: other\n", NULL, 0, &usual, err), "%s", err);
	CHECK(!parse(text, set, COUNT_OF(set), &r, err), "%s", err);
	CHECK(r.frames == usual.frames && r.steps == usual.steps
		&& r.width == usual.width && r.height == usual.height
		&& r.memory == usual.memory && r.dtype == usual.dtype
		&& r.n_output == usual.n_output && !r.noise && !r.scheduler
		&& r.keep_latents == usual.keep_latents && !r.n_component);
	CHECK(fabs(r.guidance - usual.guidance) < 1e-9
		&& fabs(r.fps - usual.fps) < 1e-9);
	CHECK(!strcmp(r.prompt, "null"), "a prompt on the command line is a text");
	CHECK(!parse("model: m\nprompt: null\nframes:\nsteps: ~\n"
		"negative_prompt: 'null'\n", NULL, 0, &r, err), "%s", err);
	CHECK(!*r.prompt && r.frames == usual.frames && r.steps == usual.steps
		&& !strcmp(r.negative_prompt, "null"));
	CHECK(parse("model: m\nmodel2: null\n", NULL, 0, &r, err)
		&& strstr(err, "unknown key"), "%s", err);
	CHECK(parse("model: null\n", NULL, 0, &r, err)
		&& strstr(err, "names no 'model'"), "%s", err);
	test("a prompt may begin with a bracket");
	static const char *const braces[] = {"prompt={red} circle",
		"negative_prompt=[x"};
	CHECK(!parse("model: m\n", braces, 2, &r, err), "%s", err);
	CHECK(!strcmp(r.prompt, "{red} circle")
		&& !strcmp(r.negative_prompt, "[x"));
	test("~ is the home folder");
	setenv("HOME", "/home/x", 1);
	CHECK(!parse("model: ~/m\nnoise: a~/n\n", NULL, 0, &r, err), "%s", err);
	CHECK(!strcmp(r.folder, "/home/x/m") && !strcmp(r.noise, "dir/a~/n"));
}

static void
wrong(void)
{
	RunFile r;
	char err[RUNFILE_ERR];
	test("what is wrong is told with its place");
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		int code = parse(bad[i].text, NULL, 0, &r, err);
		CHECK(code == EXIT_SOURCE && strstr(err, bad[i].reason),
			"%s-> %d: %s", bad[i].text, code, err);
	}
	printf("# %zu kinds of mistakes\n", COUNT_OF(bad));
}

static void
wrong_overrides(void)
{
	static const struct { const char *set; int code; const char *reason; }
	sets[] = {
		{"frames", EXIT_USAGE, "write KEY=VALUE"},
		{"=3", EXIT_USAGE, "write KEY=VALUE"},
		{"frame=3", EXIT_SOURCE, "--set frame=3: unknown key 'frame'; did "
			"you mean 'frames'?"},
		{"frames=x", EXIT_SOURCE, "--set frames=x: 'frames' is an integer"},
		{"output=[a.gif", EXIT_SOURCE, "--set output=[a.gif: "},
		{"scheduler={class: *x}", EXIT_SOURCE, "aliases"},
		{"output=x.avi", EXIT_SOURCE, "an output ends in"},
	};
	RunFile r;
	char err[RUNFILE_ERR];
	test("wrong overrides");
	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		int code = parse("model: m\n", &sets[i].set, 1, &r, err);
		CHECK(code == sets[i].code && strstr(err, sets[i].reason),
			"%s -> %d: %s", sets[i].set, code, err);
	}
}

static void
limits(void)
{
	RunFile r;
	char err[RUNFILE_ERR];
	size_t n = 1 << 20;
	char *text = arena_alloc(&arena, n + 2);
	test("size and depth have limits, and take no time");
	double start = now_seconds();
	memset(text, '[', n);
	CHECK(parse(text, NULL, 0, &r, err) && strstr(err, "nested"), "%s", err);
	memset(text, 'a', n + 1);
	CHECK(parse(text, NULL, 0, &r, err) && strstr(err, "longer"), "%s", err);
	size_t at = 0;
	for (int i = 0; i < 5000; i++)
		at += (size_t)sprintf(text + at, "k%d: 1\n", i);
	CHECK(parse(text, NULL, 0, &r, err) && strstr(err, "more than 1000 keys"),
		"%s", err);
	CHECK(now_seconds() - start < 5);
	test("a file that is not there");
	CHECK(runfile_read(&arena, "/nonexistent.yaml", NULL, 0, &r, err)
		== EXIT_IO && strstr(err, "No such file"));
}

int
main(void)
{
	all_keys();
	overrides();
	takes();
	examples();
	wrong();
	many_mistakes();
	defaults_back();
	wrong_overrides();
	limits();
	test_close();
	arena_free(&arena);
	return test_end();
}
