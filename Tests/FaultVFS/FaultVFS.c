#include "FaultVFS.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int remaining = INT_MAX; /* calls that succeed before the first failure */
static int failures = 0;        /* calls that are still to fail */
static int failed = 0;          /* calls that have failed */
static int forced = 0;          /* the code of the failures; 0 for each kind's own */
static int checkpoints_fail = 0;

static sqlite3_vfs *real;
static sqlite3_vfs vfs;

/* SQLite allocates szOsFile bytes: this, and the real file behind it. */
typedef struct {
  sqlite3_file base;
  sqlite3_file *real;
  int is_main;
} File;

void fault_vfs_arm(int count, int number, int code) {
  pthread_mutex_lock(&mutex);
  remaining = count;
  failures = number;
  failed = 0;
  forced = code;
  pthread_mutex_unlock(&mutex);
}

void fault_vfs_arm_checkpoints(void) {
  pthread_mutex_lock(&mutex);
  failed = 0;
  checkpoints_fail = 1;
  pthread_mutex_unlock(&mutex);
}

int fault_vfs_disarm(void) {
  pthread_mutex_lock(&mutex);
  int result = failed;
  failures = 0;
  checkpoints_fail = 0;
  pthread_mutex_unlock(&mutex);
  return result;
}

/* The code that a call of a kind fails with, or SQLITE_OK. */
static int fault(int kind) {
  int code = SQLITE_OK;
  pthread_mutex_lock(&mutex);
  if (failures > 0) {
    if (remaining > 0) {
      remaining--;
    } else {
      failures--;
      failed++;
      code = forced != 0 ? forced : kind;
    }
  }
  pthread_mutex_unlock(&mutex);
  return code;
}

#define REAL(file) (((File *)(file))->real)
#define FAIL(kind) \
  do { \
    int code = fault(kind); \
    if (code != SQLITE_OK) return code; \
  } while (0)

static int f_close(sqlite3_file *file) {
  return REAL(file)->pMethods != NULL ? REAL(file)->pMethods->xClose(REAL(file)) : SQLITE_OK;
}

static int f_read(sqlite3_file *file, void *buffer, int count, sqlite3_int64 offset) {
  FAIL(SQLITE_IOERR_READ);
  return REAL(file)->pMethods->xRead(REAL(file), buffer, count, offset);
}

static int is_failing_checkpoint(const File *file) {
  pthread_mutex_lock(&mutex);
  int result = checkpoints_fail && file->is_main;
  if (result) failed++;
  pthread_mutex_unlock(&mutex);
  return result;
}

static int f_write(sqlite3_file *file, const void *buffer, int count, sqlite3_int64 offset) {
  if (is_failing_checkpoint((File *)file)) return SQLITE_IOERR_WRITE;
  FAIL(SQLITE_IOERR_WRITE);
  return REAL(file)->pMethods->xWrite(REAL(file), buffer, count, offset);
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size) {
  FAIL(SQLITE_IOERR_TRUNCATE);
  return REAL(file)->pMethods->xTruncate(REAL(file), size);
}

static int f_sync(sqlite3_file *file, int flags) {
  FAIL(SQLITE_IOERR_FSYNC);
  return REAL(file)->pMethods->xSync(REAL(file), flags);
}

static int f_size(sqlite3_file *file, sqlite3_int64 *size) {
  FAIL(SQLITE_IOERR_FSTAT);
  return REAL(file)->pMethods->xFileSize(REAL(file), size);
}

static int f_lock(sqlite3_file *file, int level) {
  FAIL(SQLITE_IOERR_LOCK);
  return REAL(file)->pMethods->xLock(REAL(file), level);
}

static int f_unlock(sqlite3_file *file, int level) { return REAL(file)->pMethods->xUnlock(REAL(file), level); }

static int f_check_lock(sqlite3_file *file, int *result) {
  return REAL(file)->pMethods->xCheckReservedLock(REAL(file), result);
}

static int f_control(sqlite3_file *file, int operation, void *argument) {
  return REAL(file)->pMethods->xFileControl(REAL(file), operation, argument);
}

static int f_sector_size(sqlite3_file *file) { return REAL(file)->pMethods->xSectorSize(REAL(file)); }

static int f_characteristics(sqlite3_file *file) {
  return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static int f_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **result) {
  FAIL(SQLITE_IOERR_SHMMAP);
  return REAL(file)->pMethods->xShmMap(REAL(file), region, size, extend, result);
}

static int f_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  /* SQLite counts on giving locks up. */
  if (!(flags & SQLITE_SHM_UNLOCK)) FAIL(SQLITE_IOERR_SHMLOCK);
  return REAL(file)->pMethods->xShmLock(REAL(file), offset, count, flags);
}

static void f_shm_barrier(sqlite3_file *file) { REAL(file)->pMethods->xShmBarrier(REAL(file)); }

static int f_shm_unmap(sqlite3_file *file, int delete) {
  return REAL(file)->pMethods->xShmUnmap(REAL(file), delete);
}

/* Version 2: without memory-mapped reads, which would pass the calls by. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check_lock,
    .xFileControl = f_control,
    .xSectorSize = f_sector_size,
    .xDeviceCharacteristics = f_characteristics,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out) {
  (void)self;
  if (name == NULL || strstr(name, "/faulty-") == NULL) return real->xOpen(real, name, file, flags, out);
  File *wrapped = (File *)file;
  wrapped->base.pMethods = NULL;
  wrapped->real = (sqlite3_file *)&wrapped[1];
  wrapped->is_main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  FAIL(SQLITE_CANTOPEN);
  int code = real->xOpen(real, name, wrapped->real, flags, out);
  /* After some failures the file wants to be closed (sqlite.org/c3ref/io_methods.html). */
  if (wrapped->real->pMethods != NULL) wrapped->base.pMethods = &methods;
  return code;
}

int fault_vfs_register(void) {
  static int result = -1;
  pthread_mutex_lock(&mutex);
  if (result == -1) {
    sqlite3_initialize();
    real = sqlite3_vfs_find(NULL);
    vfs = *real;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(File) + real->szOsFile;
    vfs.xOpen = v_open;
    result = sqlite3_vfs_register(&vfs, 1);
  }
  pthread_mutex_unlock(&mutex);
  return result;
}
