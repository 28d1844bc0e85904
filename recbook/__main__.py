from recbook.cli import main

raise SystemExit(main())
