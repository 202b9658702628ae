#include "curate/engine/onnx_scorer.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <openvino/c/openvino.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/check.h"
#include "curate/engine/model_scorer.h"

namespace vl3::curate {
namespace {

// OpenVINO through its C interface, loaded when it is needed: nothing else of vl3 depends on its libraries.
struct OpenVino {
#define VL3_OPENVINO_FUNCTION(name) \
  decltype(&::ov_##name) name = function<decltype(&::ov_##name)>("ov_" #name)
  VL3_OPENVINO_FUNCTION(get_last_err_msg);
  VL3_OPENVINO_FUNCTION(core_create);
  VL3_OPENVINO_FUNCTION(core_free);
  VL3_OPENVINO_FUNCTION(core_read_model);
  VL3_OPENVINO_FUNCTION(model_free);
  VL3_OPENVINO_FUNCTION(core_compile_model);
  VL3_OPENVINO_FUNCTION(compiled_model_free);
  VL3_OPENVINO_FUNCTION(compiled_model_create_infer_request);
  VL3_OPENVINO_FUNCTION(infer_request_free);
  VL3_OPENVINO_FUNCTION(infer_request_set_input_tensor);
  VL3_OPENVINO_FUNCTION(infer_request_infer);
  VL3_OPENVINO_FUNCTION(infer_request_get_output_tensor);
  VL3_OPENVINO_FUNCTION(tensor_create_from_host_ptr);
  VL3_OPENVINO_FUNCTION(tensor_get_element_type);
  VL3_OPENVINO_FUNCTION(tensor_get_size);
  VL3_OPENVINO_FUNCTION(tensor_data);
  VL3_OPENVINO_FUNCTION(tensor_free);
#undef VL3_OPENVINO_FUNCTION

  static const OpenVino& get() {
    static const OpenVino loaded;
    return loaded;
  }

 private:
  template <typename Function>
  static Function function(const char* name) {
    void* const found = dlsym(library(), name);
    VL3_CHECK(found != nullptr, kUnsupported, "{}: has no {}", VL3_OPENVINO_C_LIBRARY, name);
    return reinterpret_cast<Function>(found);
  }

  static void* library() {
    static void* const opened = [] {
      // OpenVINO's TBB loads hwloc with RTLD_DEEPBIND, which then frees with glibc what jemalloc gave (ADR
      // 5). This is TBB's own switch for programs with another malloc.
      ::setenv("TBB_ENABLE_SANITIZERS", "1", 0);
      const std::string built_with = VL3_OPENVINO_C_LIBRARY;
      for (const std::string& path : {built_with, std::filesystem::path(built_with).filename().string()}) {
        if (void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
      }
      VL3_FAIL(kUnsupported, "ONNX scorers need OpenVINO, whose library is not found: {}", dlerror());
    }();
    return opened;
  }
};

template <typename Handle, auto kFree>
struct Freed {
  void operator()(Handle* handle) const { (OpenVino::get().*kFree)(handle); }
};
template <typename Handle, auto kFree>
using Owned = std::unique_ptr<Handle, Freed<Handle, kFree>>;

class OnnxScorer : public ModelScorer {
 public:
  explicit OnnxScorer(const ScorerConfig& config) : ModelScorer(config) {
    core_.reset(made<ov_core_t>(ErrorCode::kUnsupported, ov_.core_create));
    // Without a suffix OpenVINO would take a file for whichever format it looks like.
    VL3_CHECK(config.path.ends_with(".onnx"), kInvalidArgument, "scorer \"{}\": {}: expected a name in .onnx",
              config.name, config.path);
    const Owned<ov_model_t, &OpenVino::model_free> model(made<ov_model_t>(
        ErrorCode::kCorrupt, ov_.core_read_model, core_.get(), config.path.c_str(), nullptr));
    ov_compiled_model_t* compiled = nullptr;
    const std::string threads = std::to_string(at::get_num_threads());
    check(ErrorCode::kUnsupported,
          ov_.core_compile_model(core_.get(), model.get(), "CPU", 4, &compiled, "INFERENCE_NUM_THREADS",
                                 threads.c_str(), "INFERENCE_PRECISION_HINT", "f32"));
    compiled_.reset(compiled);
    request_.reset(made<ov_infer_request_t>(ErrorCode::kUnsupported, ov_.compiled_model_create_infer_request,
                                            compiled_.get()));
  }

 protected:
  std::vector<double> scores(const at::Tensor& pictures_BCHW) override {
    std::vector<double> values;
    for (int64_t i = 0; i < pictures_BCHW.size(0); ++i) values.push_back(score(pictures_BCHW.select(0, i)));
    return values;
  }

 private:
  double score(const at::Tensor& picture_CHW) const {
    const at::Tensor contiguous = picture_CHW.contiguous();
    int64_t dims[] = {1, 3, config().side, config().side};
    const Owned<ov_tensor_t, &OpenVino::tensor_free> input(
        made<ov_tensor_t>(ErrorCode::kInvalidArgument, ov_.tensor_create_from_host_ptr, F32,
                          ov_shape_t{4, dims}, contiguous.mutable_data_ptr()));
    check(ErrorCode::kInvalidArgument, ov_.infer_request_set_input_tensor(request_.get(), input.get()));
    check(ErrorCode::kInvalidArgument, ov_.infer_request_infer(request_.get()));
    const Owned<ov_tensor_t, &OpenVino::tensor_free> output(
        made<ov_tensor_t>(ErrorCode::kInvalidArgument, ov_.infer_request_get_output_tensor, request_.get()));
    ov_element_type_e type{};
    size_t count = 0;
    void* data = nullptr;
    check(ErrorCode::kInvalidArgument, ov_.tensor_get_element_type(output.get(), &type));
    check(ErrorCode::kInvalidArgument, ov_.tensor_get_size(output.get(), &count));
    check(ErrorCode::kInvalidArgument, ov_.tensor_data(output.get(), &data));
    VL3_CHECK(type == F32 && count == 1, kInvalidArgument,
              "scorer \"{}\": {} gives {} numbers{} for a picture; expected one of float32", config().name,
              config().path, count, type == F32 ? "" : " of another type");
    return *static_cast<const float*>(data);
  }

  // What `function` makes in its last argument.
  template <typename Handle, typename Function, typename... Arguments>
  Handle* made(ErrorCode code, Function function, Arguments... arguments) const {
    Handle* handle = nullptr;
    check(code, function(arguments..., &handle));
    return handle;
  }

  void check(ErrorCode code, ov_status_e status) const {
    if (status == OK) return;
    std::string message = ov_.get_last_err_msg();
    // It begins with the places in OpenVINO's own source that it went through; the last line says why.
    while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
    message.erase(0, message.find_last_of('\n') + 1);
    throw Error(
        code, fmt::format(
                  "scorer \"{}\": {}: {}", config().name, config().path,
                  message.empty() ? fmt::format("OpenVINO's error {}", static_cast<int>(status)) : message));
  }

  const OpenVino& ov_ = OpenVino::get();
  Owned<ov_core_t, &OpenVino::core_free> core_;
  Owned<ov_compiled_model_t, &OpenVino::compiled_model_free> compiled_;
  Owned<ov_infer_request_t, &OpenVino::infer_request_free> request_;
};

}  // namespace

std::unique_ptr<PictureModel> onnx_scorer(const ScorerConfig& config) {
  return std::make_unique<OnnxScorer>(config);
}

}  // namespace vl3::curate
