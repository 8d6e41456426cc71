import tseslint from 'typescript-eslint'

// Biome does the rest; these two rules need types, which Biome has not. Each file is read with the tsconfig.json of its
// package.
export default tseslint.config(
  { ignores: ['**/dist/**', '**/gen/**', '**/*.js', '**/*.mjs', '**/*.d.ts'] },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        // tap waits for its subtests itself; its other assertions are not exempt.
        { allowForKnownSafeCalls: [{ from: 'package', package: '@tapjs/test', name: 'test' }] },
      ],
      '@typescript-eslint/no-misused-promises': 'error',
    },
  },
)
