// Asks a model one question about one image:  vl3_ask_image MODEL_DIR IMAGE "QUESTION"
// Outside this tree: find_package(vl3) and target_link_libraries(… vl3::vl3).
#include <vl3/engine.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: " << argv[0] << " MODEL_DIR IMAGE QUESTION\n";
    return 2;
  }
  try {
    const vl3::Engine engine = vl3::Engine::load({.model = argv[1]});

    vl3::AskOptions options;
    options.generation.temperature = 0.0;  // greedy
    options.generation.max_tokens = 128;

    vl3::Callbacks callbacks;  // print the answer as it comes
    callbacks.on_text = [](std::string_view text) { std::cout << text << std::flush; };

    const vl3::Conversation conversation = {
        vl3::user_message({vl3::image_part(argv[2]), vl3::text_part(argv[3])})};
    const vl3::Answer answer = engine.ask(conversation, options, callbacks);
    std::cout << "\n[" << answer.receipt.prompt_tokens << " tokens in, " << answer.token_ids.size()
              << " out, " << answer.finish_reason << "]\n";
  } catch (const vl3::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
