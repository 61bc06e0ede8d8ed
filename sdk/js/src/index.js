// Everything here is a type, of which nothing is left when a program runs.
export {};
