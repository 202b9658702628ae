# -DVL3_SANITIZE="address;undefined" (or "thread" for the torch-free targets).
if(VL3_SANITIZE)
  string(REPLACE ";" "," vl3_sanitize "${VL3_SANITIZE}")
  add_compile_options(-fsanitize=${vl3_sanitize} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_compile_options(-Wno-maybe-uninitialized)  # g++ 12 sees it in std::regex and std::function when it instruments them
  add_link_options(-fsanitize=${vl3_sanitize})
endif()

# What a test runs with. Leaks count in the programs with libtorch, too; tools/sanitizers/ names what is not ours.
function(vl3_sanitizer_environment test)
  if(VL3_SANITIZE)
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT
      "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:allocator_may_return_null=1"
      "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tools/sanitizers/lsan.txt:print_suppressions=0"
      "UBSAN_OPTIONS=print_stacktrace=1"
      "TSAN_OPTIONS=second_deadlock_stack=1")
  endif()
endfunction()
