# jemalloc as malloc and operator new of a program (never of the library: that is its user's choice). Tensors come and go in every
# size; glibc then searches long lists of free blocks, and keeps more of them: docs/adr/0005-jemalloc.md.
function(vl3_use_jemalloc program)
  if(NOT VL3_SANITIZE)  # these bring their own
    target_link_options(${program} PRIVATE LINKER:--push-state,--no-as-needed ${JEMALLOC_LINK_LIBRARIES} LINKER:--pop-state)
  endif()
endfunction()
