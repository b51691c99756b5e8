# A build without CUDA leaves no trace of it: LIBRARY neither defines nor asks for anything of the
# runtime or of our own backend. NM lists symbols.
execute_process(COMMAND ${NM} -C ${LIBRARY} COMMAND grep -c " gradus::cpu::" OUTPUT_VARIABLE count)
if(count EQUAL 0)
  message(FATAL_ERROR "${NM} does not list the symbols of ${LIBRARY}")
endif()
execute_process(COMMAND ${NM} -C ${LIBRARY}
  COMMAND grep -E " (cuda[A-Z]|__cuda|cublas|gradus::cuda::|gradus::simt::)" OUTPUT_VARIABLE traces)
if(traces)
  message(FATAL_ERROR "of CUDA, in a build without it:\n${traces}")
endif()
