from galvan.cli import main

main()
