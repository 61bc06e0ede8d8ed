export * from 'homestar:https/client@0.1.0';
