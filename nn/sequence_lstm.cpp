#include "gradus/nn/sequence_lstm.h"

#include "gradus/autograd/functions.h"

namespace gradus::nn {

SequenceLSTM::SequenceLSTM(std::int64_t outputs, const SequenceLSTMOptions& o)
    : options(o),
      encoder(o.vocabulary > 0 ? o.vocabulary : 1, o.vocabulary > 0 ? o.embedding : 1),
      drop(o.dropout),
      rnn(o.vocabulary > 0 ? o.embedding : o.inputs, o.hidden,
          {.num_layers = o.layers, .batch_first = true, .dropout = o.dropout}),
      decoder(o.hidden, outputs) {}

Tensor SequenceLSTM::forward(const Tensor& x) {
  if (options.vocabulary > 0) return decoder(drop(rnn(drop(encoder(x)))));
  check(x.dim() == 3 && x.size(1) > 0, ErrorKind::shape, "SequenceLSTM: expected (N, T, ",
        options.inputs, "), got ", x.shape());
  return decoder(drop(rnn(x).select(1, -1)));
}

void SequenceLSTM::visit(Visitor& v) {
  if (options.vocabulary > 0) v("encoder", encoder);
  v("drop", drop);
  v("rnn", rnn);
  v("decoder", decoder);
}

}  // namespace gradus::nn
