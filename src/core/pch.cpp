// Holds the shared precompiled header; see cmake/Targets.cmake.
