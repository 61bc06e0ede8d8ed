// What can go wrong.

/** `homestar` said no. `kind` is that of its exit codes, such as `input` or `host`. */
export class HomestarError extends Error {
  name = 'HomestarError';

  constructor(message, kind = 'host') {
    super(message);
    this.kind = kind;
  }
}

/** The workflow was refused before anything ran. `problems` has all that is wrong with it, each with its place. */
export class WorkflowError extends HomestarError {
  name = 'WorkflowError';

  constructor(workflow, problems) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super([`${workflow} has ${count}`, ...problems].join('\n  '), 'input');
    this.problems = problems;
  }
}

/** Tasks failed, so there is no result. `failures` has them; `task` and `value` are the first's. */
export class RunError extends HomestarError {
  name = 'RunError';

  constructor(failures, run) {
    const lines = failures.map(({ task, kind, message, place }) => `${place ? `${place}: ` : ''}task \`${task}\` failed (${kind}): ${message}`);
    super(lines.join('\n'), failures[0].kind);
    this.failures = failures;
    this.task = failures[0].task;
    this.value = failures[0].value;
    this.run = run;
  }
}

/** What the program said against it. */
export class Refused extends HomestarError {
  constructor({ message, kind, problems = [] }) {
    super(message, kind);
    this.problems = problems;
  }
}
