interface ServicePickerProps {
  service: string;
  services: readonly string[];
  onService: (service: string) => void;
}

/** Which service's log. The browser's own control: it is right on phones and with a keyboard. */
export function ServicePicker({ service, services, onService }: ServicePickerProps) {
  const options = services.includes(service) ? services : [service, ...services];
  return (
    <select
      aria-label="Service"
      value={service}
      onChange={(event) => onService(event.target.value)}
      className="h-9 max-w-48 min-w-0 rounded-md max-md:flex-1 border border-line bg-surface px-2 text-sm font-medium max-sm:h-11"
    >
      {options.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}
