# Shows that bench/readme_table.py --check refuses a table that is not made from the newest result, one
# without its place, and "nothing measured" beside a result; and that what it writes passes.
cmake_minimum_required(VERSION 3.25)
find_program(python NAMES python3 REQUIRED)
set(begin "<!-- measured: made by bench/readme_table.py from bench/results; do not edit -->")
set(end "<!-- /measured -->")

function(run expected)
  execute_process(COMMAND ${python} ${ROOT}/bench/readme_table.py --root ${SCRATCH} ${ARGN}
    RESULT_VARIABLE status ERROR_VARIABLE output)
  if(NOT status EQUAL expected)
    message(SEND_ERROR "${ARGN}: expected status ${expected}, got ${status}: ${output}")
  endif()
endfunction()

function(result date us)
  file(WRITE ${SCRATCH}/bench/results/side_by_side_${date}.json "{
    \"machine\": {\"processor\": \"P\", \"date\": \"${date}\"}, \"threads\": 2, \"repeats\": 30,
    \"ceiling\": {\"gflops\": 200, \"copy_gb_s\": 10}, \"failed\": {\"gpt_small\": \"why\"},
    \"theirs\": [{\"name\": \"T 1\", \"blas\": \"B\", \"isa\": \"I\"}, {\"name\": \"L\"}],
    \"rows\": [{\"workload\": \"add_8x8\", \"us\": ${us}, \"opponents\":
                 [{\"name\": \"T 1\", \"us\": 3, \"ratio\": 30.004}]},
               {\"workload\": \"sgemm_nt_64x10x128\", \"us\": 2, \"gflops\": 80, \"opponents\":
                 [{\"name\": \"T 1\", \"us\": 4, \"ratio\": 2}, {\"name\": \"L\", \"us\": 1, \"ratio\": 0.5}]}],
    \"processes\": [{\"name\": \"Gradus\", \"what\": \"start\", \"ms\": 2, \"megabytes\": 4}]}")
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
file(WRITE ${SCRATCH}/README.md "before\n${begin}\nNothing measured yet.\n${end}\nafter\n")
run(0 --check)  # nothing measured, and README says so
result(2026-01-01 0.1)
run(1 --check)  # it still says so beside a result
run(0)
run(0 --check)
file(READ ${SCRATCH}/README.md made)
foreach(text "before\n" "| add of 8 x 8 | 100 ns | 3 us (30.00x) |" "| 80 (40 %) | 40 (2.00x) | 160 (0.50x) |"
        "| process start to first backward, memory | 2.0 ms, 4.0 MB | - |" "Not measured: gpt_small." "\nafter\n")
  string(FIND "${made}" "${text}" at)
  if(at EQUAL -1)
    message(SEND_ERROR "no '${text}' in: ${made}")
  endif()
endforeach()
string(REPLACE "100 ns" "90 ns" prettier "${made}")
file(WRITE ${SCRATCH}/README.md "${prettier}")
run(1 --check)  # a number that nobody measured
file(WRITE ${SCRATCH}/README.md "${made}")
result(2026-01-02 0.2)
run(1 --check)  # the table of an older result
file(WRITE ${SCRATCH}/README.md "before\nafter\n")
run(1 --check)  # no place for the table
