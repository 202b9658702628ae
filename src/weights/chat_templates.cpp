#include "weights/chat_templates.h"

namespace vl3::weights {
namespace {

// `{%-` and `-%}` eat the line breaks between the tags, so that only quoted ones reach the prompt.
constexpr std::string_view kNative = R"jinja({%- for message in messages -%}
  {%- if loop.first and add_system_prompt and message['role'] != 'system' -%}
    {{- '<|im_start|>system\nYou are VideoLLaMA3 created by Alibaba DAMO Academy, a helpful assistant to help people understand images and videos.<|im_end|>\n' -}}
  {%- endif -%}
  {%- set is_stream = message['role'] == 'stream' -%}
  {{- ('<|stream_start|>' if is_stream else '<|im_start|>') + message['role'] + '\n' -}}
  {%- if message['content'] is string -%}
    {{- message['content'] -}}
  {%- else -%}
    {%- for part in message['content'] -%}
      {%- if part['type'] == 'text' -%}
        {{- part['text'] -}}
      {%- elif part['type'] == 'image' -%}
        {{- '<|image_pad|>\n' -}}
      {%- elif part['type'] == 'video' -%}
        {{- '<|video_pad|>\n' -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- '<|stream_end|>' if is_stream else '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
)jinja";

constexpr std::string_view kRemote = R"jinja({%- set placeholder = image_token | default('<image>') -%}
{%- for message in messages -%}
  {%- if loop.first and add_system_prompt and message['role'] != 'system' -%}
    {{- '<|im_start|>system\nYou are VideoLLaMA3 created by Alibaba DAMO Academy, a helpful assistant to help people understand images and videos.<|im_end|>\n' -}}
  {%- endif -%}
  {%- set is_stream = message['role'] == 'stream' -%}
  {{- ('<|stream_start|>' if is_stream else '<|im_start|>') + message['role'] + '\n' -}}
  {%- if message['content'] is string -%}
    {{- message['content'] + ('<|stream_end|>\n' if is_stream else '<|im_end|>\n') -}}
  {%- else -%}
    {%- for part in message['content'] -%}
      {%- if part is string -%}
        {{- part -}}
      {%- elif part['type'] == 'text' or 'text' in part -%}
        {{- part['text'] -}}
      {%- elif part['type'] == 'image' or 'image' in part -%}
        {%- if 'timestamp' in part -%}
          {{- 'Time ' + (part['timestamp'] | round(1) | string) + 's: ' -}}
        {%- endif -%}
        {{- placeholder + '\n' -}}
      {%- elif part['type'] == 'video' or 'video' in part -%}
        {%- for frame in range(part['num_frames']) -%}
          {%- if 'timestamps' in part -%}
            {{- 'Time ' + (part['timestamps'][frame] | round(1) | string) + 's:' -}}
          {%- endif -%}
          {{- placeholder + ('\n' if loop.last else ',') -}}
        {%- endfor -%}
      {%- endif -%}
    {%- endfor -%}
    {{- '<|stream_end|>' if is_stream else '<|im_end|>\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
)jinja";

}  // namespace

std::string_view chat_template(Flow layout) { return layout == Flow::kRemote ? kRemote : kNative; }

}  // namespace vl3::weights
