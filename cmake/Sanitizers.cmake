# -DVL3_SANITIZE="address;undefined" (or "thread" for the torch-free targets).
if(VL3_SANITIZE)
  string(REPLACE ";" "," vl3_sanitize "${VL3_SANITIZE}")
  add_compile_options(-fsanitize=${vl3_sanitize} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${vl3_sanitize})
endif()
