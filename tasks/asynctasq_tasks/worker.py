"""The program of a worker that AsyncTasQ's command line cannot start: ``python -m tasks.asynctasq_tasks.worker``."""

from tasks.asynctasq_tasks import main

if __name__ == "__main__":
    main()
