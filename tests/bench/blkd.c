// SPDX-License-Identifier: GPL-2.0-only
/*
 * The userspace backend's data path without Xen: blkd TARGET [DEPTH [BYTES [SECONDS]]]. A frontend keeps
 * DEPTH random reads in flight on one queue; printed are requests per second, and the CPU time that
 * the worker had for each. `raw` before a file's path: the same by io_uring alone, to compare with.
 */
#undef NDEBUG
#include <disk.h>
#include <loop.h>

#include <fcntl.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DATA	1024u

struct config config = { .workers = 1 };

static u32 depth = 32, bytes = 4096, seconds = 3;
static u64 disk_bytes;

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static u64 somewhere(void)
{
	static u64 seed = 1;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 20) % (disk_bytes / bytes) * bytes;
}

static void add(struct front *f, u64 id)
{
	struct xpv_blk_req req = { .op = XPV_BLK_READ, .id = id, .sector = somewhere() / 512 };
	u32 i, pages = (bytes + 4095) / 4096;

	req.nr_segs = (u16)pages;
	for (i = 0; i < pages; i++)
		req.seg[i] = (struct xpv_blk_seg){ .gref = DATA + (u32)id * pages + i,
						   .last = (u8)((bytes < 4096 ? bytes : 4096) / 512 - 1) };
	front_add(f, &req);
}

static void report(const char *what, u64 n, double wall, double cpu)
{
	printf("%s: %.0f requests/s, %.3f us of CPU time each\n", what, (double)n / wall, cpu / (double)n * 1e6);
}

static void through_blkd(const char *target)
{
	struct disk *d;
	struct front f;
	struct front_response rsp;
	char why[STORE_WHY];
	double begun, cpu, end;
	u64 n = 0;
	u32 i;

	loop_make();
	front_make(&f, XPV_BLK_NATIVE, 0, 4, 0);
	d = disk_add(LOOP_DOMID, 0, "bench", "bench");
	assert(d && !disks_start());
	if (store_open(&d->store, target, why)) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	disk_measure(d);
	disk_bytes = d->store.bytes;
	assert(!disk_connect(d, &f.info, 1, false));
	for (i = 0; i < depth; i++)
		add(&f, i);
	front_publish(&f);

	begun = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - now(CLOCK_THREAD_CPUTIME_ID);
	do {
		assert(front_take(&f, &rsp, 10000) && rsp.status == XPV_BLK_OK);
		n++;
		add(&f, rsp.id);
		/* As a guest does: what has come is taken, and then all new ones are shown at once. */
		if (!xpv_front_pending(&f.ring))
			front_publish(&f);
		end = n % 64 ? 0 : now(CLOCK_MONOTONIC);
	} while (end < begun + seconds);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	report(target, n, end - begun, cpu);
	front_publish(&f);
	while (disk_disconnect(d, false) == -EAGAIN)
		usleep(1000);
	disk_free(d);
	disks_stop();
}

static void submit(struct io_uring *ring, u8 *buf, u64 id)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read_fixed(sqe, 0, buf + id * bytes, bytes, somewhere(), 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = id;
}

static void by_itself(const char *path)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	struct iovec vec = { .iov_len = (size_t)depth * bytes };
	double begun, cpu, end = 0;
	int fd = open(path, O_RDONLY | O_DIRECT);
	struct stat st;
	u64 n = 0;
	u32 i;

	assert(fd >= 0 && !fstat(fd, &st) && !posix_memalign(&vec.iov_base, 4096, vec.iov_len));
	disk_bytes = (u64)st.st_size;
	assert(!io_uring_queue_init(depth, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN));
	assert(!io_uring_register_files(&ring, &fd, 1) && !io_uring_register_buffers(&ring, &vec, 1));
	for (i = 0; i < depth; i++)
		submit(&ring, vec.iov_base, i);
	begun = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_THREAD_CPUTIME_ID);
	do {
		unsigned int head, k = 0;

		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			assert(cqe->res == (int)bytes);
			submit(&ring, vec.iov_base, cqe->user_data);
			k++;
		}
		io_uring_cq_advance(&ring, k);
		n += k;
		end = now(CLOCK_MONOTONIC);
	} while (end < begun + seconds);
	report("raw", n, end - begun, now(CLOCK_THREAD_CPUTIME_ID) - cpu);
	io_uring_queue_exit(&ring);
}

int main(int argc, char **argv)
{
	bool raw = argc > 1 && !strcmp(argv[1], "raw");
	static char dir[] = "/tmp/xpv-bench.XXXXXX";

	argv += raw;
	argc -= raw;
	if (argc < 2) {
		fprintf(stderr, "usage: blkd [raw] TARGET [DEPTH [BYTES [SECONDS]]]\n");
		return 2;
	}
	if (argc > 2)
		depth = (u32)atoi(argv[2]);
	if (argc > 3)
		bytes = (u32)atoi(argv[3]);
	if (argc > 4)
		seconds = (u32)atoi(argv[4]);
	/* As many as fit a ring, and what a request says by itself. */
	if (!depth || depth > 128 || !bytes || bytes % 512 || bytes > 11 * 4096) {
		fprintf(stderr, "DEPTH is at most 128, BYTES at most 45056\n");
		return 2;
	}
	if (raw) {
		by_itself(argv[1]);
		return 0;
	}
	assert(mkdtemp(dir));
	config.run_dir = dir;
	through_blkd(argv[1]);
	rmdir(dir);
	return 0;
}
