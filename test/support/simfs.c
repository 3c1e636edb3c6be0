#include "support/simfs.h"

#include <stdio.h>
#include <stdlib.h>

#define SECTOR 512u
#define PATH_BYTES 400
#define FILE_MAX ((size_t)1 << 31)

struct change { /* of a file, not yet durable */
	uint64_t at;
	size_t len;
	uint8_t *data; /* NULL: truncate to `at` */
};

struct node {
	unsigned refs;
	struct ent_buf live, durable;
	struct change *changes;
	size_t change_count;
	struct handle *locked_by;
};

struct name { /* node NULL: a folder */
	char path[PATH_BYTES];
	struct node *node;
};

struct names {
	struct name *at;
	size_t count;
};

enum move { ADD, REMOVE, RENAME };
struct move_op { /* of names, not yet durable */
	enum move kind;
	char path[PATH_BYTES], to[PATH_BYTES];
	struct node *node;
};

struct handle {
	struct ent_file file;
	struct simfs *fs;
	struct node *node;
	uint64_t epoch;
};

struct simfs {
	struct ent_fs fs;
	uint64_t random, epoch, changes, off_after, capacity;
	bool off;
	uint64_t counts[SIMFS_OPS], fail_at[SIMFS_OPS];
	int fail_code[SIMFS_OPS];
	struct names live, durable;
	struct move_op *moves;
	size_t move_count;
};

static const struct ent_file_ops file_ops;
static const struct ent_fs_ops fs_ops;

static struct simfs *sim(struct ent_fs *fs) { return (struct simfs *)fs; }

static uint64_t draw(struct simfs *s, uint64_t below)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

/* Room for one more; memory is enough for the next power of two above the largest count so far. */
static void *grow(void *list, size_t count, size_t size)
{
	if (count & (count - 1))
		return list;
	void *more = realloc(list, (count ? 2 * count : 1) * size);
	ENT_ASSERT(more);
	return more;
}

/* ---- nodes and names ---- */

static void drop_changes(struct node *n)
{
	for (size_t i = 0; i < n->change_count; i++)
		free(n->changes[i].data);
	free(n->changes);
	n->changes = NULL;
	n->change_count = 0;
}

static void unref(struct node *n)
{
	if (!n || --n->refs)
		return;
	drop_changes(n);
	ent_buf_deinit(&n->live);
	ent_buf_deinit(&n->durable);
	free(n);
}

static struct node *new_node(void)
{
	struct node *n = calloc(1, sizeof *n);
	ENT_ASSERT(n);
	n->refs = 1;
	ent_buf_init(&n->live, FILE_MAX);
	ent_buf_init(&n->durable, FILE_MAX);
	return n;
}

static struct name *find(const struct names *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->at[i].path, path))
			return &l->at[i];
	return NULL;
}

static void names_remove(struct names *l, const char *path)
{
	struct name *n = find(l, path);
	if (!n)
		return;
	unref(n->node);
	*n = l->at[--l->count];
}

static void names_add(struct names *l, const char *path, struct node *node)
{
	names_remove(l, path);
	l->at = grow(l->at, l->count, sizeof *l->at);
	struct name *n = &l->at[l->count++];
	snprintf(n->path, sizeof n->path, "%s", path);
	n->node = node;
	if (node)
		node->refs++;
}

static void names_rename(struct names *l, const char *from, const char *to)
{
	struct name *n = find(l, from);
	if (!n)
		return;
	struct node *node = n->node;
	if (node)
		node->refs++;
	names_remove(l, from);
	names_add(l, to, node);
	unref(node);
}

static void names_free(struct names *l)
{
	for (size_t i = 0; i < l->count; i++)
		unref(l->at[i].node);
	free(l->at);
	*l = (struct names){ 0 };
}

static void parent_of(const char *path, char ret[PATH_BYTES])
{
	const char *slash = strrchr(path, '/');
	snprintf(ret, PATH_BYTES, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

static bool is_folder(const struct names *l, const char *path)
{
	const struct name *n = find(l, path);
	return !strcmp(path, ".") || (n && !n->node);
}

static void apply_move(struct names *l, const struct move_op *m)
{
	if (m->kind == ADD)
		names_add(l, m->path, m->node);
	else if (m->kind == REMOVE)
		names_remove(l, m->path);
	else
		names_rename(l, m->path, m->to);
}

static void note_move(struct simfs *s, enum move kind, const char *path, const char *to, struct node *node)
{
	s->moves = grow(s->moves, s->move_count, sizeof *s->moves);
	struct move_op *m = &s->moves[s->move_count++];
	*m = (struct move_op){ .kind = kind, .node = node };
	snprintf(m->path, sizeof m->path, "%s", path);
	snprintf(m->to, sizeof m->to, "%s", to ? to : "");
	if (node)
		node->refs++;
	apply_move(&s->live, m);
}

static bool touches(const struct move_op *m, const char *dir)
{
	char parent[PATH_BYTES];
	parent_of(m->path, parent);
	if (!strcmp(parent, dir))
		return true;
	parent_of(m->to, parent);
	return m->kind == RENAME && !strcmp(parent, dir);
}

/* ---- changes of content ---- */

static void content_write(struct ent_buf *b, uint64_t at, const uint8_t *data, size_t len)
{
	if (at + len > b->len)
		ent_buf_space(b, (size_t)(at + len) - b->len);
	ENT_ASSERT(!b->code);
	if (len)
		memcpy(b->data + at, data, len);
}

static void content_truncate(struct ent_buf *b, uint64_t size)
{
	if (size < b->len)
		b->len = (size_t)size;
	else
		content_write(b, size, NULL, 0);
}

static void apply_change(struct ent_buf *b, const struct change *c)
{
	if (c->data)
		content_write(b, c->at, c->data, c->len);
	else
		content_truncate(b, c->at);
}

static void note_change(struct node *n, uint64_t at, const void *data, size_t len)
{
	n->changes = grow(n->changes, n->change_count, sizeof *n->changes);
	struct change *c = &n->changes[n->change_count++];
	*c = (struct change){ .at = at, .len = len };
	if (data) {
		c->data = malloc(len + 1);
		ENT_ASSERT(c->data);
		memcpy(c->data, data, len);
	}
	apply_change(&n->live, c);
}

/* One unsynced write meets the end of power: whole, gone, cut short, or sector by sector. */
static void maybe_apply(struct simfs *s, struct ent_buf *b, const struct change *c)
{
	uint64_t fate = draw(s, 4);
	if (fate == 0)
		return;
	if (fate == 1 || !c->data || c->len == 0) {
		apply_change(b, c);
	} else if (fate == 2) {
		content_write(b, c->at, c->data, (size_t)draw(s, c->len));
	} else {
		for (size_t at = 0; at < c->len; at += SECTOR)
			if (draw(s, 2))
				content_write(b, c->at + at, c->data + at, c->len - at < SECTOR ? c->len - at : SECTOR);
	}
}

static void set_content(struct ent_buf *to, const struct ent_buf *from)
{
	to->len = 0;
	content_write(to, 0, from->data, from->len);
}

/* ---- faults ---- */

static int counted(struct simfs *s, enum simfs_op op, bool changes, struct ent_err *err)
{
	if (s->off)
		return ent_fail(err, ENT_EIO, "the power is off");
	if (changes && ++s->changes > s->off_after) {
		s->off = true;
		return ent_fail(err, ENT_EIO, "the power is off");
	}
	s->counts[op]++;
	if (s->fail_at[op] && --s->fail_at[op] == 0)
		return ent_fail(err, s->fail_code[op], "simulated failure");
	return 0;
}

static int alive(const struct handle *h, struct ent_err *err)
{
	return h->epoch == h->fs->epoch ? 0 : ent_fail(err, ENT_EIO, "this file was open when the machine died");
}

static uint64_t used(const struct simfs *s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s->live.count; i++)
		n += s->live.at[i].node ? s->live.at[i].node->live.len : 0;
	return n;
}

/* ---- the file vtable ---- */

static int f_read(struct ent_file *f, uint64_t at, void *buf, size_t len, size_t *ret_len, struct ent_err *err)
{
	struct handle *h = (struct handle *)f;
	ENT_TRY(alive(h, err));
	ENT_TRY(counted(h->fs, SIMFS_READ, false, err));
	size_t have = at < h->node->live.len ? h->node->live.len - (size_t)at : 0;
	*ret_len = have < len ? have : len;
	if (*ret_len)
		memcpy(buf, h->node->live.data + at, *ret_len);
	return 0;
}

static int f_write(struct ent_file *f, uint64_t at, const void *buf, size_t len, struct ent_err *err)
{
	struct handle *h = (struct handle *)f;
	ENT_TRY(alive(h, err));
	uint64_t more = at + len > h->node->live.len ? at + len - h->node->live.len : 0;
	int code = counted(h->fs, SIMFS_WRITE, true, err);
	if (!code && h->fs->capacity && used(h->fs) + more > h->fs->capacity)
		code = ent_fail(err, ENT_ENOSPACE, "no space left");
	size_t done = code ? (size_t)draw(h->fs, len + 1) : len; /* a failed write may have written a part */
	if (code == ENT_ENOSPACE && done > h->fs->capacity - used(h->fs))
		done = 0;
	note_change(h->node, at, buf, done);
	return code;
}

static int f_sync(struct ent_file *f, struct ent_err *err)
{
	struct handle *h = (struct handle *)f;
	struct node *n = h->node;
	ENT_TRY(alive(h, err));
	int code = counted(h->fs, SIMFS_SYNC, true, err);
	for (size_t i = 0; i < n->change_count && !h->fs->off; i++) {
		if (code)
			maybe_apply(h->fs, &n->durable, &n->changes[i]); /* the rest stays readable and never becomes durable */
		else
			apply_change(&n->durable, &n->changes[i]);
	}
	if (!h->fs->off)
		drop_changes(n);
	return code;
}

static int f_truncate(struct ent_file *f, uint64_t size, struct ent_err *err)
{
	struct handle *h = (struct handle *)f;
	ENT_TRY(alive(h, err));
	ENT_TRY(counted(h->fs, SIMFS_WRITE, true, err));
	note_change(h->node, size, NULL, 0);
	return 0;
}

static int f_size(struct ent_file *f, uint64_t *ret, struct ent_err *err)
{
	struct handle *h = (struct handle *)f;
	ENT_TRY(alive(h, err));
	*ret = h->node->live.len;
	return 0;
}

static int f_lock(struct ent_file *f, struct ent_err *err)
{
	struct handle *h = (struct handle *)f;
	ENT_TRY(alive(h, err));
	if (h->node->locked_by && h->node->locked_by != h)
		return ent_fail(err, ENT_EAGAIN, "locked by somebody else");
	h->node->locked_by = h;
	return 0;
}

static void f_close(struct ent_file *f)
{
	struct handle *h = (struct handle *)f;
	if (h->node->locked_by == h)
		h->node->locked_by = NULL;
	unref(h->node);
	free(h);
}

static const struct ent_file_ops file_ops = { f_read, f_write, f_sync, f_truncate, f_size, f_lock, f_close };

/* ---- the file system vtable ---- */

static int fs_create(struct simfs *s, const char *path, struct node **ret, struct ent_err *err)
{
	char parent[PATH_BYTES];
	parent_of(path, parent);
	if (!is_folder(&s->live, parent))
		return ent_fail(err, ENT_ENOTFOUND, "%s: no such folder", parent);
	ENT_TRY(counted(s, SIMFS_OPEN, true, err));
	struct node *n = new_node();
	note_move(s, ADD, path, NULL, n);
	unref(n);
	*ret = n;
	return 0;
}

static int fs_open(struct ent_fs *fs, const char *path, int flags, uint32_t mode, struct ent_file **ret, struct ent_err *err)
{
	struct simfs *s = sim(fs);
	struct name *found = find(&s->live, path);
	struct node *node = found ? found->node : NULL;
	(void)mode;
	if (s->off)
		return ent_fail(err, ENT_EIO, "the power is off");
	if (found && !node)
		return ent_fail(err, ENT_EIO, "%s is a folder", path);
	if (found && flags & ENT_OPEN_EXCL)
		return ent_fail(err, ENT_EIO, "%s exists", path);
	if (!found && !(flags & ENT_OPEN_CREATE))
		return ent_fail(err, ENT_ENOTFOUND, "%s: not found", path);
	if (!found)
		ENT_TRY(fs_create(s, path, &node, err));
	else
		ENT_TRY(counted(s, SIMFS_OPEN, false, err));
	if (flags & ENT_OPEN_TRUNC && node->live.len)
		note_change(node, 0, NULL, 0);
	struct handle *h = calloc(1, sizeof *h);
	ENT_ASSERT(h);
	*h = (struct handle){ { &file_ops }, s, node, s->epoch };
	node->refs++;
	*ret = &h->file;
	return 0;
}

static int fs_rename(struct ent_fs *fs, const char *from, const char *to, struct ent_err *err)
{
	struct simfs *s = sim(fs);
	ENT_TRY(counted(s, SIMFS_RENAME, true, err));
	if (!find(&s->live, from))
		return ent_fail(err, ENT_ENOTFOUND, "%s: not found", from);
	note_move(s, RENAME, from, to, NULL);
	return 0;
}

static int fs_remove(struct ent_fs *fs, const char *path, struct ent_err *err)
{
	struct simfs *s = sim(fs);
	ENT_TRY(counted(s, SIMFS_RENAME, true, err));
	if (!find(&s->live, path))
		return ent_fail(err, ENT_ENOTFOUND, "%s: not found", path);
	note_move(s, REMOVE, path, NULL, NULL);
	return 0;
}

static int fs_mkdir(struct ent_fs *fs, const char *path, uint32_t mode, struct ent_err *err)
{
	struct simfs *s = sim(fs);
	char parent[PATH_BYTES];
	if (s->off)
		return ent_fail(err, ENT_EIO, "the power is off");
	if (is_folder(&s->live, path))
		return 0;
	parent_of(path, parent);
	if (strcmp(parent, ".") != 0)
		ENT_TRY(fs_mkdir(fs, parent, mode, err));
	ENT_TRY(counted(s, SIMFS_OPEN, true, err));
	note_move(s, ADD, path, NULL, NULL);
	return 0;
}

static int fs_sync_dir(struct ent_fs *fs, const char *path, struct ent_err *err)
{
	struct simfs *s = sim(fs);
	size_t kept = 0;
	ENT_TRY(counted(s, SIMFS_SYNC_DIR, true, err));
	if (!is_folder(&s->live, path))
		return ent_fail(err, ENT_ENOTFOUND, "%s: no such folder", path);
	for (size_t i = 0; i < s->move_count; i++) {
		if (!touches(&s->moves[i], path)) {
			s->moves[kept++] = s->moves[i];
			continue;
		}
		apply_move(&s->durable, &s->moves[i]);
		unref(s->moves[i].node);
	}
	s->move_count = kept;
	return 0;
}

static int fs_list(struct ent_fs *fs, const char *path, void (*each)(void *arg, const char *name), void *arg, struct ent_err *err)
{
	struct simfs *s = sim(fs);
	char parent[PATH_BYTES];
	if (s->off)
		return ent_fail(err, ENT_EIO, "the power is off");
	if (!is_folder(&s->live, path))
		return ent_fail(err, ENT_ENOTFOUND, "%s: no such folder", path);
	for (size_t i = 0; i < s->live.count; i++) {
		const char *name = s->live.at[i].path, *slash = strrchr(name, '/');
		parent_of(name, parent);
		if (!strcmp(parent, path))
			each(arg, slash ? slash + 1 : name);
	}
	return 0;
}

static int fs_space(struct ent_fs *fs, uint64_t *ret_free_bytes, struct ent_err *err)
{
	struct simfs *s = sim(fs);
	(void)err;
	*ret_free_bytes = !s->capacity ? UINT64_MAX : used(s) < s->capacity ? s->capacity - used(s) : 0;
	return 0;
}

static const struct ent_fs_ops fs_ops = { fs_open, fs_rename, fs_remove, fs_mkdir, fs_sync_dir, fs_list, fs_space };

/* ---- what tests do to it ---- */

struct ent_fs *simfs_new(uint64_t seed)
{
	struct simfs *s = calloc(1, sizeof *s);
	ENT_ASSERT(s);
	s->fs.ops = &fs_ops;
	s->random = seed;
	s->off_after = UINT64_MAX;
	return &s->fs;
}

static void moves_free(struct simfs *s)
{
	for (size_t i = 0; i < s->move_count; i++)
		unref(s->moves[i].node);
	free(s->moves);
	s->moves = NULL;
	s->move_count = 0;
}

void simfs_free(struct ent_fs *fs)
{
	if (!fs)
		return;
	moves_free(sim(fs));
	names_free(&sim(fs)->live);
	names_free(&sim(fs)->durable);
	free(fs);
}

void simfs_kill(struct ent_fs *fs)
{
	struct simfs *s = sim(fs);
	s->epoch++;
	s->off = false;
	s->off_after = UINT64_MAX;
	memset(s->fail_at, 0, sizeof s->fail_at);
	for (size_t i = 0; i < s->live.count; i++)
		if (s->live.at[i].node)
			s->live.at[i].node->locked_by = NULL;
}

/* Within one folder, later names never survive earlier ones that were lost. */
static void crash_names(struct simfs *s)
{
	struct names lost = { 0 };
	for (size_t i = 0; i < s->move_count; i++) {
		const struct move_op *m = &s->moves[i];
		char from[PATH_BYTES], to[PATH_BYTES];
		parent_of(m->path, from);
		parent_of(m->kind == RENAME ? m->to : m->path, to);
		if (find(&lost, from) || find(&lost, to) || draw(s, 2)) {
			names_add(&lost, from, NULL);
			names_add(&lost, to, NULL);
		} else {
			apply_move(&s->durable, m);
		}
	}
	names_free(&lost);
}

static bool drop_orphan(struct names *l)
{
	char parent[PATH_BYTES];
	for (size_t i = 0; i < l->count; i++) {
		parent_of(l->at[i].path, parent);
		if (!is_folder(l, parent)) {
			names_remove(l, l->at[i].path);
			return true;
		}
	}
	return false;
}

void simfs_crash(struct ent_fs *fs)
{
	struct simfs *s = sim(fs);
	crash_names(s);
	while (drop_orphan(&s->durable))
		;
	moves_free(s);
	names_free(&s->live);
	for (size_t i = 0; i < s->durable.count; i++) {
		struct node *n = s->durable.at[i].node;
		for (size_t k = 0; n && k < n->change_count; k++)
			maybe_apply(s, &n->durable, &n->changes[k]);
		if (n) {
			drop_changes(n);
			set_content(&n->live, &n->durable);
		}
		names_add(&s->live, s->durable.at[i].path, n);
	}
	simfs_kill(fs);
}

void simfs_fail(struct ent_fs *fs, enum simfs_op op, uint64_t nth, int code)
{
	sim(fs)->fail_at[op] = nth;
	sim(fs)->fail_code[op] = code;
}

void simfs_power_off_after(struct ent_fs *fs, uint64_t n) { sim(fs)->off_after = sim(fs)->changes + n; }
uint64_t simfs_changes(const struct ent_fs *fs) { return ((const struct simfs *)fs)->changes; }
uint64_t simfs_count(const struct ent_fs *fs, enum simfs_op op) { return ((const struct simfs *)fs)->counts[op]; }
void simfs_capacity(struct ent_fs *fs, uint64_t bytes) { sim(fs)->capacity = bytes; }

static int by_path(const void *a, const void *b) { return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path); }

void simfs_each(struct ent_fs *fs, void (*each)(void *arg, const char *path, struct ent_bytes content), void *arg)
{
	struct names *l = &sim(fs)->live;
	if (l->count)
		qsort(l->at, l->count, sizeof *l->at, by_path);
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].node)
			each(arg, l->at[i].path, ent_buf_bytes(&l->at[i].node->live));
}

bool simfs_flip(struct ent_fs *fs, const char *path, uint64_t bit)
{
	struct name *n = find(&sim(fs)->live, path);
	if (!n || !n->node || bit / 8 >= n->node->live.len)
		return false;
	n->node->live.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	if (bit / 8 < n->node->durable.len)
		n->node->durable.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	return true;
}

struct ent_fs *simfs_copy(struct ent_fs *fs, uint64_t seed)
{
	struct ent_fs *copy = simfs_new(seed);
	struct names *l = &sim(fs)->live;
	for (size_t i = 0; i < l->count; i++) {
		struct node *n = l->at[i].node ? new_node() : NULL;
		if (n) {
			set_content(&n->live, &l->at[i].node->live);
			set_content(&n->durable, &l->at[i].node->live);
		}
		names_add(&sim(copy)->live, l->at[i].path, n);
		names_add(&sim(copy)->durable, l->at[i].path, n);
		unref(n);
	}
	return copy;
}
