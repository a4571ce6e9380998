// Debian keeps the headers in a folder of their own.
#include <postgresql/libpq-fe.h>
// What waits for its sockets; Swift's Glibc module leaves it out.
#include <sys/epoll.h>
