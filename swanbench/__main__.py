from swanbench.command_line import main

main()
