// The two reference flows: which rules of preprocessing, prompt and sampling hold (spec: "Two reference
// flows").
#pragma once

namespace vl3 {

enum class Flow {
  kRemote,  ///< the official remote-code checkpoints (DAMO-NLP-SG/VideoLLaMA3-*)
  kNative,  ///< transformers' video_llama_3
};

inline const char* flow_name(Flow flow) { return flow == Flow::kRemote ? "remote" : "native"; }

}  // namespace vl3
