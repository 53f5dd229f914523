// SPDX-License-Identifier: Apache-2.0
#include "recording/mat_library.h"

#include <dlfcn.h>
#include <matio.h>

#include <algorithm>
#include <vector>

#include "recording/decoders.h"
#include "recording/mat_answer.h"

namespace millwright::recording {
namespace {

constexpr size_t kMaxVariables = 10'000;
constexpr size_t kMaxListed = 20;
constexpr size_t kFloatsAtOnce = 1 << 16;

struct Library {
  decltype(&Mat_LogInitFunc) log_init = nullptr;
  decltype(&Mat_Open) open = nullptr;
  decltype(&Mat_Close) close = nullptr;
  decltype(&Mat_VarReadNextInfo) next_info = nullptr;
  decltype(&Mat_VarReadDataAll) read_data = nullptr;
  decltype(&Mat_VarFree) free = nullptr;
  std::string missing;  // why it cannot be used; empty where it can
};

template <typename T>
void find(void* handle, const char* name, T& function, std::string& missing) {
  function = reinterpret_cast<T>(::dlsym(handle, name));
  if (function == nullptr && missing.empty()) missing = fmt::format("it lacks {}", name);
}

const Library& library() {
  static const Library kLibrary = [] {
    Library found;
    void* handle = ::dlopen(MILLWRIGHT_MATIO_SONAME, RTLD_NOW | RTLD_LOCAL);  // never closed: used to the end
    if (handle == nullptr) {
      found.missing = ::dlerror();
      return found;
    }
    find(handle, "Mat_LogInitFunc", found.log_init, found.missing);
    find(handle, "Mat_Open", found.open, found.missing);
    find(handle, "Mat_Close", found.close, found.missing);
    find(handle, "Mat_VarReadNextInfo", found.next_info, found.missing);
    find(handle, "Mat_VarReadDataAll", found.read_data, found.missing);
    find(handle, "Mat_VarFree", found.free, found.missing);
    return found;
  }();
  return kLibrary;
}

// matio reports some damage through its log alone and then returns what it has.
bool complained = false;
void note_complaint(int, char*) { complained = true; }

bool is_numeric(const matvar_t& variable) {
  switch (variable.class_type) {
    case MAT_C_DOUBLE:
    case MAT_C_SINGLE:
    case MAT_C_INT8:
    case MAT_C_UINT8:
    case MAT_C_INT16:
    case MAT_C_UINT16:
    case MAT_C_INT32:
    case MAT_C_UINT32:
    case MAT_C_INT64:
    case MAT_C_UINT64: return variable.isComplex == 0 && variable.rank == 2 && variable.dims != nullptr;
    default: return false;
  }
}

std::string_view kind_of(const matvar_t& variable) {
  if (is_numeric(variable)) return "";
  if (variable.isComplex != 0) return " complex";
  switch (variable.class_type) {
    case MAT_C_CHAR: return " text";
    case MAT_C_STRUCT: return " struct";
    case MAT_C_CELL: return " cells";
    case MAT_C_SPARSE: return " sparse";
    default: return " not a matrix of numbers";
  }
}

std::string describe(const matvar_t& variable) {
  std::vector<size_t> dims;
  for (int d = 0; d < std::clamp(variable.rank, 0, 4) && variable.dims != nullptr; ++d)
    dims.push_back(variable.dims[d]);
  return fmt::format("{} ({}{})", in_quotes(variable.name == nullptr ? "" : variable.name), fmt::join(dims, " x "),
                     kind_of(variable));
}

struct Listing {
  std::vector<matvar_t*> variables;  // the child ends soon: nothing is freed
  std::string text;
};

Result<Listing> list_variables(mat_t* file) {
  Listing listing;
  while (matvar_t* variable = library().next_info(file)) {
    if (listing.variables.size() == kMaxVariables)
      return fail(ErrorCode::kTooLarge, "more than {} variables", kMaxVariables);
    if (listing.variables.size() < kMaxListed) {
      listing.text += (listing.variables.empty() ? "" : ", ") + describe(*variable);
    } else if (listing.variables.size() == kMaxListed) {
      listing.text += ", ...";
    }
    listing.variables.push_back(variable);
  }
  return listing;
}

Result<matvar_t*> choose(const Listing& listing, const std::string& wanted) {
  if (listing.variables.empty()) return fail(ErrorCode::kCorrupt, "not a MATLAB file with variables, or damaged");
  if (!wanted.empty()) {
    const auto found = std::ranges::find_if(listing.variables,
                                            [&](const matvar_t* v) { return v->name != nullptr && v->name == wanted; });
    if (found == listing.variables.end()) {
      return fail(ErrorCode::kInvalidInput, "no variable {}; there are {}", in_quotes(wanted), listing.text);
    }
    if (!is_numeric(**found)) {
      return fail(ErrorCode::kInvalidInput, "variable {} is not a real vector or matrix of numbers", describe(**found));
    }
    return *found;
  }
  std::vector<matvar_t*> candidates;
  std::ranges::copy_if(listing.variables, std::back_inserter(candidates), [](const matvar_t* v) {
    return is_numeric(*v) && (v->dims[0] > 1 || v->dims[1] > 1);  // a single number is not a recording
  });
  if (candidates.size() == 1) return candidates.front();
  return fail(ErrorCode::kInvalidInput, "{} of its variables can be a recording, name one: {}",
              candidates.empty() ? "none" : "several", listing.text);
}

template <typename T>
void send(const void* data, uint64_t count, Reply& reply) {
  const T* from = static_cast<const T*>(data);
  std::vector<float> floats(std::min<uint64_t>(count, kFloatsAtOnce));
  for (uint64_t done = 0; done < count; done += floats.size()) {
    const auto part = std::span(floats).first(std::min<uint64_t>(floats.size(), count - done));
    std::transform(from + done, from + done + part.size(), part.begin(), [](T v) { return static_cast<float>(v); });
    reply.write(std::as_bytes(part));
  }
}

void send_data(const matvar_t& variable, uint64_t count, Reply& reply) {
  switch (variable.class_type) {
    case MAT_C_DOUBLE: return send<double>(variable.data, count, reply);
    case MAT_C_SINGLE: return send<float>(variable.data, count, reply);
    case MAT_C_INT8: return send<int8_t>(variable.data, count, reply);
    case MAT_C_UINT8: return send<uint8_t>(variable.data, count, reply);
    case MAT_C_INT16: return send<int16_t>(variable.data, count, reply);
    case MAT_C_UINT16: return send<uint16_t>(variable.data, count, reply);
    case MAT_C_INT32: return send<int32_t>(variable.data, count, reply);
    case MAT_C_UINT32: return send<uint32_t>(variable.data, count, reply);
    case MAT_C_INT64: return send<int64_t>(variable.data, count, reply);
    default: return send<uint64_t>(variable.data, count, reply);
  }
}

Result<matvar_t*> read_variable(const std::filesystem::path& path, const std::string& wanted, uint64_t file_bytes) {
  library().log_init("millwright", note_complaint);
  mat_t* file = library().open(path.c_str(), MAT_ACC_RDONLY);
  if (file == nullptr) return fail(ErrorCode::kCorrupt, "not a MATLAB file, or damaged");
  const Listing listing = MW_TRY(list_variables(file));
  matvar_t* variable = MW_TRY(choose(listing, wanted));
  const uint64_t rows = variable->dims[0];
  const uint64_t columns = variable->dims[1];
  MW_CHECK_OK(check_extent(1, std::min(rows, columns), std::max(rows, columns)));
  if (rows * columns > file_bytes * kMaxMatExpansion) {
    return fail(ErrorCode::kCorrupt, "{} cannot come out of {} bytes", describe(*variable), file_bytes);
  }
  if (library().read_data(file, variable) != 0 || variable->data == nullptr || complained) {
    return fail(ErrorCode::kCorrupt, "variable {} is damaged", describe(*variable));
  }
  const uint64_t count = rows * columns;
  if (variable->data_size <= 0 || variable->nbytes / static_cast<uint64_t>(variable->data_size) < count) {
    return fail(ErrorCode::kCorrupt, "variable {} is shorter than its size", describe(*variable));
  }
  return variable;
}

}  // namespace

Status load_mat_library() {
  if (library().missing.empty()) return {};
  return fail(ErrorCode::kUnavailable, ".mat files need matio, which cannot be used: {}; install {}", library().missing,
              "libmatio");
}

void answer_mat(const std::filesystem::path& path, const std::string& variable, uint64_t file_bytes, Reply& reply) {
  const Result<matvar_t*> read = read_variable(path, variable, file_bytes);
  MatReply head{.magic = kMatMagic};
  std::string text;
  if (read) {
    head.rows = (*read)->dims[0];
    head.columns = (*read)->dims[1];
    text = (*read)->name == nullptr ? "" : (*read)->name;
  } else {
    head.code = static_cast<uint32_t>(read.error().code) + 1;
    text = read.error().message;
  }
  text.resize(std::min(text.size(), kMaxMatText));
  head.text_bytes = text.size();
  reply.write(std::as_bytes(std::span(&head, 1)));
  reply.write(std::as_bytes(std::span(text)));
  if (read) send_data(**read, head.rows * head.columns, reply);
}

}  // namespace millwright::recording
