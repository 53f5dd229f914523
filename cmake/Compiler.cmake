# SPDX-License-Identifier: Apache-2.0
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(THREADS_PREFER_PTHREAD_FLAG ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Every warning is an error; a suppression stands beside the code with its reason.
add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-align -Wunused -Woverloaded-virtual -Werror)
add_compile_options(-ffp-contract=off)  # the same sums on every machine, whether or not it fuses multiply and add
add_compile_options(-Wno-missing-field-initializers)  # designated initializers name what differs from the default
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-maybe-uninitialized)  # false alarms of g++ 12 in std::optional and std::expected
endif()

if(MILLWRIGHT_SANITIZE)
  add_compile_options(-fsanitize=${MILLWRIGHT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLWRIGHT_SANITIZE})
  add_compile_definitions(MILLWRIGHT_SANITIZED=1)
endif()
if(MILLWRIGHT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(MILLWRIGHT_SANITIZED=1)
endif()
