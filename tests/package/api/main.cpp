// Calls the three parts, each of which uses the names of one chapter.
#include "names.h"

int main() {
  tensors();
  functions();
  modules_and_optimizers();
  std::puts("every name of the API is there");
}
