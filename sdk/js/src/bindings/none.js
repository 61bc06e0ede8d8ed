// Outside of a component there is nothing to call.
export {};
