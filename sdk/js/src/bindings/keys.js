export * from 'homestar:crypto/keys@0.1.0';
