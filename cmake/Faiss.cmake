# Faiss (Debian's libfaiss-dev has a static library) with the BLAS it calls, as vl3_faiss. OpenMP's functions come from
# libtorch's own runtime.
find_path(FAISS_INCLUDE_DIR faiss/Clustering.h)
find_library(FAISS_LIBRARY faiss)
find_library(FAISS_LAPACK lapack)
find_library(FAISS_BLAS blas)
if(NOT FAISS_INCLUDE_DIR OR NOT FAISS_LIBRARY OR NOT FAISS_LAPACK OR NOT FAISS_BLAS)
  message(FATAL_ERROR "faiss not found: install libfaiss-dev (tools/apt-packages.txt)")
endif()
add_library(vl3_faiss INTERFACE)
target_include_directories(vl3_faiss SYSTEM INTERFACE ${FAISS_INCLUDE_DIR})
target_link_libraries(vl3_faiss INTERFACE ${FAISS_LIBRARY} vl3_torch ${FAISS_LAPACK} ${FAISS_BLAS})
# libtorch has a BLAS of its own (MKL) and exports it. It stands first on the line, or Faiss and libtorch itself would run on
# Debian's reference BLAS: k-means of 20,000 points took 17.9 s instead of 1.4.
target_link_options(vl3_faiss INTERFACE LINKER:--no-as-needed $<TARGET_FILE:torch_cpu>)
