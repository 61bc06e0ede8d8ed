export { Component } from './component.js';
export { File, Link, Secret, file } from './content.js';
export { HomestarError, RunError, WorkflowError } from './failures.js';
export { Await, Task } from './task.js';
export * as types from './types.js';
export { Workflow, forEach, workflow } from './workflow.js';
