/** What stands where a part of the page could not be drawn: an old picture must not pass for a live one. */
import { Component, type ComponentChildren } from 'preact';

interface FaultState {
  readonly failed: boolean;
}

/** Draws its children; where they fail, says so in their place and leaves the rest of the page alone. The error is shown as any uncaught one. */
export class FaultFence extends Component<{ readonly children: ComponentChildren }, FaultState> {
  override state: FaultState = { failed: false };

  override componentDidCatch(error: unknown): void {
    this.setState({ failed: true });
    queueMicrotask(() => {
      throw error;
    });
  }

  override render() {
    if (!this.state.failed) return <>{this.props.children}</>;
    return (
      <div class="problem" role="alert">
        <p>This part of the page has failed and shows nothing any more. Nothing is lost: reload the page to see it again.</p>
        <button onClick={() => location.reload()}>Reload</button>
      </div>
    );
  }
}
