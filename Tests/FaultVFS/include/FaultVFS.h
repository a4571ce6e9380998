/// An SQLite VFS (sqlite.org/vfs.html) whose calls fail when a test says so.
///
/// It passes everything on to the default VFS. Of files with "/faulty-" in their path it counts the calls that reach the
/// disk, and lets the chosen ones fail without doing them. One test at a time may arm it.

#ifndef FAULT_VFS_H
#define FAULT_VFS_H

/// Makes it the default VFS of the process. Does nothing the second time. Returns an SQLite result code.
int fault_vfs_register(void);

/// From now on, `count` calls succeed; then `failures` calls fail with the extended result code `code`, or with the
/// code of each call's kind (SQLITE_IOERR_READ, …) if `code` is 0.
void fault_vfs_arm(int count, int failures, int code);

/// From now on, every write to the main file of a database fails, which in WAL mode only checkpoints do.
void fault_vfs_arm_checkpoints(void);

/// No call fails from now on. Returns how many have failed since it was armed.
int fault_vfs_disarm(void);

#endif
