/** The product's mark and name. */
export function Brand({ large = false }: { large?: boolean }) {
  return (
    <span className="inline-flex items-center gap-2">
      <svg viewBox="0 0 32 32" aria-hidden="true" className={large ? 'h-11 w-11' : 'h-7 w-7'}>
        <rect width="32" height="32" rx="8" fill="#0f766e" />
        <path
          d="M6 20c4 0 4-9 8-9s4 9 8 9c2 0 3-1.500 4-3.500"
          fill="none"
          stroke="#ecfeff"
          strokeWidth="2.600"
          strokeLinecap="round"
        />
        <circle cx="26" cy="14" r="2.400" fill="#5eead4" />
      </svg>
      <span className={large ? 'text-2xl font-semibold tracking-tight' : 'font-semibold tracking-tight'}>
        Tailwire
      </span>
    </span>
  );
}
