// A conversation of text, images and videos in any mix: plain data, no decoded media, no torch.
// message_parser.cpp reads it from JSON, chat_template.h writes the model's prompt from it.
#pragma once

#include <filesystem>
#include <string>

#include "core/json.h"
#include "vl3/conversation.h"

namespace vl3::text {

using vl3::ContentPart;
using vl3::Conversation;
using vl3::image_part;
using vl3::kMaxConversationFrames;
using vl3::kMaxVideoFrames;
using vl3::Message;
using vl3::PartKind;
using vl3::Role;
using vl3::role_name;
using vl3::text_part;
using vl3::video_part;

/// Reads a list of messages, or an object {"messages": [...]}.
/// Content is a string or a list of strings and parts; R is a media reference:
///   {"type":"text","text":T}
///   {"type":"image_url","image_url":R}, {"type":"image","image":R}; also "timestamp"
///   {"type":"video_url","video_url":R}, {"type":"input_video","input_video":R}, {"type":"video","video":R},
///   {"type":"video","frames":[R…]}; also "timestamps", "num_frames", "fps", "max_frames", "start",
///   "end", "source": those that do not go with frames, or with a file, are refused when media are opened
/// R is a string, or an object with "url". The official code's objects are read, too: "image_path";
/// "video_path" with "fps", "max_frames", "start_time", "end_time". A video's R may be a list of pictures.
/// "detail" and "uuid" are accepted where clients send them.
/// @param where  named in errors ("messages.json", "messages").
/// @throws Error(kInvalidArgument) naming the message, the part and the key; Error(kUnsupported) for
///   roles and types that exist elsewhere but not in this model ("tool", "input_audio").
Conversation parse_openai_messages(const Json& json, const std::string& where);

/// Relative paths of a conversation's media, put below `root`; URLs, data URLs and "-" stay.
void set_media_root(Conversation& conversation, const std::filesystem::path& root);

}  // namespace vl3::text
