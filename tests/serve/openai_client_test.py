"""The official `openai` client against a running server. usage: openai_client_test.py VL3"""
import sys

try:
    import openai
    openai.OpenAI  # a folder of the same name would import, too
except (ImportError, AttributeError):
    from server import skip
    skip("no openai package")
from server import IMAGE, VIDEO, Server, data_url


def main():
    with Server(sys.argv[1], "--api-key", "secret", "--served-model-name", "vl3") as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=0)
        assert client.models.list().data[0].id == "vl3"
        assert client.models.retrieve("vl3").id == "vl3"

        ask = dict(model="vl3", temperature=0, max_completion_tokens=12, extra_body={"ignore_eos": True})
        text = [{"role": "user", "content": "What is it?"}]
        whole = client.chat.completions.create(messages=text, **ask)
        assert whole.choices[0].finish_reason == "length" and whole.choices[0].message.role == "assistant"
        assert whole.usage.completion_tokens == 12 and whole.choices[0].message.tool_calls is None

        pieces = list(client.chat.completions.create(messages=text, stream=True, stream_options={"include_usage": True}, **ask))
        assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == whole.choices[0].message.content
        assert pieces[0].choices[0].delta.role == "assistant" and pieces[-1].usage.completion_tokens == 12
        assert pieces[-2].choices[0].finish_reason == "length"

        media = [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": data_url(IMAGE, "image/png"), "detail": "auto"}},
            {"type": "video_url", "video_url": {"url": data_url(VIDEO, "video/mp4")}},
            {"type": "text", "text": "What happens?"}]}]
        answer = client.chat.completions.create(messages=media, logprobs=True, top_logprobs=3, n=2, seed=1, **ask)
        assert len(answer.choices) == 2
        assert len(answer.choices[0].logprobs.content) == 12 and len(answer.choices[0].logprobs.content[0].top_logprobs) == 3
        receipt = answer.usage.model_extra["receipt"]
        assert [m["kind"] for m in receipt["media"]] == ["image", "video"], receipt
        assert receipt["media"][1]["frames"][1]["time_s"] == 1.0 and receipt["visual_tokens_kept"] <= receipt["visual_tokens"]
        again = client.chat.completions.create(messages=media, **ask)
        assert again.choices[0].message.content == answer.choices[0].message.content

        shaped = client.chat.completions.create(
            model="vl3", messages=text, max_completion_tokens=200, seed=3,
            response_format={"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {
                "type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"], "additionalProperties": False}}})
        import json
        assert isinstance(json.loads(shaped.choices[0].message.content)["sure"], bool)

        for spelling in [{"guided_choice": ["yes", "no"]}, {"structured_outputs": {"choice": ["yes", "no"]}}]:
            chosen = client.chat.completions.create(model="vl3", messages=text, max_tokens=-1, extra_body={"request_id": "mine-1", **spelling})
            assert chosen.choices[0].message.content in ("yes", "no") and chosen.choices[0].finish_reason == "stop"
            assert chosen.id == "chatcmpl-mine-1", chosen.id

        begun = [*text, {"role": "assistant", "content": "It is"}]
        goes_on = {"ignore_eos": True, "continue_final_message": True, "add_generation_prompt": False, "echo": True}
        echoed = client.chat.completions.create(model="vl3", messages=begun, temperature=0, max_tokens=4, extra_body=goes_on)
        assert echoed.choices[0].message.content.startswith("It is"), echoed
        streamed = client.chat.completions.create(model="vl3", messages=begun, temperature=0, max_tokens=4, stream=True, extra_body=goes_on)
        assert "".join(p.choices[0].delta.content or "" for p in streamed) == echoed.choices[0].message.content

        once = dict(model="vl3", max_tokens=5, temperature=0, extra_body={"ignore_eos": True})
        completion = client.completions.create(prompt="Once", logprobs=1, **once)
        assert completion.choices[0].finish_reason == "length"
        offsets = completion.choices[0].logprobs.text_offset
        assert len(offsets) == 5 and offsets[0] == 0, offsets
        pieces = list(client.completions.create(prompt=["Once"], logprobs=1, stream=True, **once))
        assert [o for p in pieces if p.choices[0].logprobs for o in p.choices[0].logprobs.text_offset] == offsets
        assert client.completions.create(prompt="Once", echo=True, **once).choices[0].text == "Once" + completion.choices[0].text

        for wrong, error in [
            (lambda: client.chat.completions.create(model="vl3", messages=text, temperature=9), openai.BadRequestError),
            (lambda: client.chat.completions.create(model="vl3", messages=text, extra_body={"guided_grammar": "root ::= x"}), openai.BadRequestError),
            (lambda: client.completions.create(prompt=["a", "b"], model="vl3"), openai.BadRequestError),
            (lambda: client.completions.create(prompt="a", echo=True, logprobs=1, model="vl3"), openai.BadRequestError),
            (lambda: client.chat.completions.create(model="other", messages=text), openai.NotFoundError),
            (lambda: client.with_options(api_key="no").models.list(), openai.AuthenticationError),
        ]:
            try:
                wrong()
                raise SystemExit(f"no {error.__name__}")
            except error as caught:
                assert caught.body["message"], caught

        stream = client.chat.completions.create(model="vl3", messages=text, stream=True, max_tokens=20000, extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
    print("openai", openai.__version__, "agrees")


main()
