/* cmd_devices.c - `sluice devices`: what plans can run on here, and what is
 * missing for the rest.
 */
#include "compiler/cli/cli.h"
#include "compiler/cli/options.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/driver.h"
#include "kernels/kernels.h"

#include <unistd.h>

static void
print_cpu(void)
{
	char bytes[32];
	cpu_init();
	printf("cpu      %s kernels, %d processors, %s\n", cpu_level(),
		threads_available(), format_bytes(bytes,
		(int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
}

static void
print_gpu(const CudaDriver *d, int index)
{
	CUdevice device;
	char name[100] = "?", bytes[32];
	int major = 0, minor = 0;
	size_t total = 0;
	if (d->device(&device, index) || d->name(name, sizeof name, device)
		|| d->attribute(&major, CU_MAJOR, device)
		|| d->attribute(&minor, CU_MINOR, device)
		|| d->total_mem(&total, device)) {
		printf("cuda:%d   it does not answer\n", index);
		return;
	}
	printf("cuda:%d   ", index);
	print_clean_line(stdout, name);
	printf(", sm_%d%d, %s, driver for CUDA %d.%d\n", major, minor,
		format_bytes(bytes, (int64_t)total), d->version_number / 1000,
		d->version_number % 1000 / 10);
}

static void
print_cuda(void)
{
	char err[512];
	size_t bytes;
	int n = 0;
	const CudaDriver *d = cuda_driver(err, sizeof err);
	if (!d) {
		printf("cuda     %s\n", err);
	} else if (d->count(&n) || n == 0) {
		puts("cuda     the driver sees no GPU");
	}
	for (int i = 0; i < n; i++)
		print_gpu(d, i);
	if (!cuda_image(&bytes))
		puts("cuda     this program was built without CUDA kernels: "
			"build it where nvcc is (Debian: nvidia-cuda-toolkit, "
			"from non-free)");
}

int
cmd_devices(int argc, char **argv)
{
	Args args;
	args_parse(&args, argc, argv, 0, 0);
	print_cpu();
	print_cuda();
	out_stdout_done();
	return EXIT_OK;
}
