// See VisibleMutex.c. There is nothing to call.
