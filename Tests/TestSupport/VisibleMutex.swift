// Links what ThreadSanitizer needs to all tests.
internal import VisibleMutex
