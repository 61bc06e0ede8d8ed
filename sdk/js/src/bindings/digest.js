export * from 'homestar:crypto/digest@0.1.0';
