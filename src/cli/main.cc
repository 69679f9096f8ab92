#include "cli/commands.h"

int main(int argc, char** argv) { return arena::cli::run(argc, argv); }
