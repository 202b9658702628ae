// What the environment says about the hub, under the names its other clients use.
#pragma once

#include <filesystem>
#include <string>

namespace vl3::hub {

/// $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub, else below the user's cache folder.
/// @throws Error(kInvalidArgument) when neither these nor a home folder are known.
std::filesystem::path default_cache_dir();

/// $HF_ENDPOINT without trailing slashes. @throws Error(kInvalidArgument) when not set: there is no default.
std::string default_endpoint();

/// $HF_TOKEN, else the content of $HF_TOKEN_PATH or $HF_HOME/token, without blanks around; "" when there is
/// none.
/// @throws Error(kInvalidArgument) for a token file that cannot be read. Never shows the token.
std::string default_token();

/// $HF_HUB_OFFLINE or $TRANSFORMERS_OFFLINE is 1, on, yes or true.
bool offline_by_environment();

}  // namespace vl3::hub
