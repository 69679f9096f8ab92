# arena_plant(OUT BUGS): OUT becomes changed copies of sources with the bugs of the list, and the list itself. They stand
# before the libraries' own when a program is linked, and so replace them: docs/decisions/0008.
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

function(arena_plant out bugs)
  set(plant ${CMAKE_SOURCE_DIR}/tests/sim/planted/plant.py)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/planted)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${bugs} ${plant})
  execute_process(COMMAND ${Python3_EXECUTABLE} ${plant} ${bugs} --files OUTPUT_VARIABLE files COMMAND_ERROR_IS_FATAL ANY)
  list(TRANSFORM files PREPEND ${CMAKE_SOURCE_DIR}/src/ OUTPUT_VARIABLE originals)
  list(TRANSFORM files PREPEND ${folder}/ OUTPUT_VARIABLE copies)
  list(APPEND copies ${folder}/planted_bugs.cc)
  add_custom_command(OUTPUT ${copies} COMMAND ${Python3_EXECUTABLE} ${plant} ${bugs} ${CMAKE_SOURCE_DIR}/src ${folder}
    DEPENDS ${plant} ${bugs} ${originals} VERBATIM)
  set(${out} ${copies} PARENT_SCOPE)
endfunction()
