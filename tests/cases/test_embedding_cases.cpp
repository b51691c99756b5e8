// The op cases of one family: embedding.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_embedding_cases(Cases& cases) {
  const Input index{{2, 3}, 0, 4, Dtype::i64};
  cases.push_back(
      {"embedding", [](const auto& in) { return embedding(in[0], in[1]); }, {index, {{4, 3}}}});
}

}  // namespace gradus::testing
